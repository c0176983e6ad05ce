import type { BackendKind, ImageRequest, Json, Repair } from '../loop/index.js';

/** Bytes of a file that a request names. Throws as the file system does. */
export type ReadFile = (path: string) => Promise<Buffer>;

/** A Stable Diffusion server. Every failure is a BackendError; every wait obeys its signal. */
export interface Backend {
  readonly name: string;
  readonly kind: BackendKind;
  /** How it understood its configuration, a line each: for people, in `reroll doctor`. */
  readonly notes?: readonly string[];
  /** What to tell of a pipeline that sets or changes these settings: they have no effect here, or not everywhere. */
  warnings?(settings: readonly string[]): string[];
  /** What it is sent for a request, setting by setting, and who says so. Asks the server nothing. */
  settings(request: ImageRequest): Sent[];

  /** Asks the server what it is and whether it is well. Harmless; bounded in time. */
  probe(signal: AbortSignal): Promise<ServerInfo>;

  /**
   * What this server lacks for a request, or to repair an image so: an unknown checkpoint, sampler, node, extension.
   * Empty: it can serve it. Reads the server's own lists, cached until the next `probe`.
   */
  missing(request: ImageRequest, signal: AbortSignal, repair?: Repair): Promise<Lack[]>;

  /** Generates one image and returns the server's own bytes. An aborted `signal` cancels the work on the server. */
  generate(job: GenerateJob, signal: AbortSignal): Promise<Generated>;

  /** Stops what the server still does for `remoteId`; never touches another job. Nothing to stop is no error. */
  cancel(remoteId: string, signal: AbortSignal): Promise<void>;

  close(): Promise<void>;
}

export interface GenerateJob {
  request: ImageRequest;
  /** A lowercase UUID, in the ledger before anything is sent: ComfyUI's prompt_id, A1111's force_task_id. */
  remoteId: string;
  /** True where `remoteId` may already have been sent to this server by a process that died: look before sending. */
  adopt: boolean;
  /** Whose image this is: put where the server keeps it (extra_data, filename prefix). */
  attempt: { run: string; shot: number; number: number };
  /** A candidate to repair instead of a new image. */
  repair?: { repair: Repair; candidate: Buffer };
  onProgress?: (progress: Progress) => void;
}

export interface Generated {
  /** The file as the server made it. */
  image: Buffer;
  /** The seed that the server used. */
  seed: number;
  /** The request as it was sent, without image bytes and secrets. */
  sent: { [field: string]: unknown };
  /** The settings that the request left out, or changed without knowing them, as they were sent. */
  settings: { [setting: string]: Json };
  server: ServerInfo;
  /** True where a prompt that was already there was adopted. */
  adopted: boolean;
}

/** A setting as a server is sent it, and who says so. */
export interface Sent {
  /** Named as in the pipeline file. */
  setting: string;
  /** Absent where the server, or a node of the workflow, decides. */
  value?: Json;
  /** `default`: reroll's own. `nowhere`: the pipeline says it, and the workflow does not take it. */
  from: 'pipeline' | 'workflow' | 'default' | 'server' | 'nowhere';
}

export interface ServerInfo {
  /** AUTOMATIC1111, Forge, reForge, SD.Next, ComfyUI, sketch. */
  product: string;
  version?: string;
  /** The checkpoint that is loaded now, where the server says so. */
  checkpoint?: string;
}

export interface Lack {
  /** checkpoint, sampler, scheduler, node, script, extension, input. */
  what: string;
  asked: string;
  /** What the server has instead that looks most alike, best first. */
  near: string[];
  /** Where nothing looks alike: all that the server has of the kind, if it says so. */
  has?: readonly string[];
  /** What needs it, where that is one of several: `node 4 (CheckpointLoaderSimple)`. */
  where?: string;
  /** Words to put behind, where no other name would help. */
  advice?: string;
}

export interface Progress {
  /** 0 to 1. */
  share: number;
}
