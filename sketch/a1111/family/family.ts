import type { HttpAnswer, JsonObject } from '../../http.js';
import type { Checkpoint, Sampler } from '../catalogue.js';
import type { Fields, Request } from '../fields.js';
import type { InfoValue } from '../infotext.js';
import type { Job } from '../job.js';

export type JobKind = 'txt2img' | 'img2img';

/** What repaints hands after the base pass, if anything does. */
export interface Detailer {
  /** img2img only: no base pass, the given picture goes to the detector. */
  skipImg2img: boolean;
  /** Whether a detector of hands finds one: only that repairs anything here. */
  hands: boolean;
  /** What the infotext says: that it was on, not that it found anything. */
  settings: Record<string, string | number>;
}

/** Where a member of AUTOMATIC1111's family differs from the others. */
export interface Family {
  fields: Readonly<Record<JobKind, Fields>>;
  samplers: readonly Sampler[];
  schedulers: readonly JsonObject[];
  /** Beside the latent ones, which SD.Next alone has among them. */
  upscalers: readonly string[];
  scripts: Readonly<Record<JobKind, readonly string[]>>;
  /** Which of sd-vae and sd-modules it has. */
  modules: 'sd-vae' | 'sd-modules';
  /** An exception in the server's own form: class name, detail (of an HTTPException), and str(e). */
  failure: (status: number, error: string, detail: string, errors?: string) => HttpAnswer;
  /** The sampler and scheduler that it will use. @throws HttpAnswer where it refuses. */
  names: (request: Request) => { sampler: string; scheduler: string };
  /** A checkpoint file as its lists show it. */
  checkpoint: (name: string) => Checkpoint;
  /** Every name that means a checkpoint file. */
  aliases: (name: string) => readonly string[];
  /** @throws HttpAnswer for what it refuses beside what all refuse. */
  check: (kind: JobKind, request: Request) => void;
  /** Whether a hires pass makes the picture larger. */
  resizes: (request: Request) => boolean;
  detailer: (request: Request) => Detailer | undefined;
  /** The settings line of the infotext, in its order. */
  settings: (job: Job, seed: number) => Record<string, InfoValue>;
  /** The response's `info`, before it becomes a string. */
  processed: (job: Job, jobTimestamp: string, infotexts: readonly string[]) => JsonObject;
  /** SD.Next's habits: 204 for /interrupt and its like, failures as 200 without images, 429 after the work. */
  isSdNext: boolean;
}
