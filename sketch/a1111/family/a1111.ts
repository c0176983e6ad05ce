import { HttpAnswer, type JsonObject } from '../../http.js';
import { version } from '../../types.js';
import { readADetailer } from '../adetailer.js';
import {
  checkpointOf,
  knownSamplers,
  samplerAndScheduler,
  knownSchedulers,
  scripts,
  upscalers,
} from '../catalogue.js';
import { img2img, txt2img, type Request } from '../fields.js';
import type { InfoValue } from '../infotext.js';
import type { Job } from '../job.js';
import type { Family } from './family.js';

/** AUTOMATIC1111 1.10.1. */
export const a1111: Family = {
  fields: { txt2img: txt2img, img2img: img2img },
  samplers: knownSamplers,
  schedulers: knownSchedulers.map((scheduler) => ({ ...scheduler })),
  upscalers: upscalers,
  scripts: scripts,
  modules: 'sd-vae',
  failure: (status, error, detail, errors = '') =>
    new HttpAnswer(status, { error, detail, body: '', errors }),
  names: (request) => samplerAndScheduler(a1111.samplers, knownSchedulers, ...askedNames(request)),
  checkpoint: checkpointOf,
  aliases,
  check: (kind, request) => {
    if (kind === 'img2img' && request.list('init_images') === undefined) {
      throw a1111.failure(404, 'HTTPException', 'Init image not found');
    }
  },
  resizes: (request) => request.flag('enable_hr'),
  detailer: (request) => readADetailer(request.dict('alwayson_scripts')),
  settings,
  processed,
  isSdNext: false,
};

/** reForge's sdapi is AUTOMATIC1111's, but for samplers that it also finds in another case. */
export const reforge: Family = {
  ...a1111,
  names: (request) => {
    const [sampler, scheduler] = askedNames(request);
    const known = knownSamplers.find(({ name }) => name.toLowerCase() === sampler?.toLowerCase());
    return samplerAndScheduler(knownSamplers, knownSchedulers, known?.name ?? sampler, scheduler);
  },
};

export function askedNames(request: Request): [string | undefined, string | undefined] {
  return [request.name('sampler_name') ?? request.name('sampler_index'), request.name('scheduler')];
}

function aliases(name: string): string[] {
  const { title, model_name, hash, sha256 } = checkpointOf(name);
  const bare = bareName(name);
  return [name, title, model_name, bare, hash, sha256, `${bare} [${hash}]`];
}

/** What images name their checkpoint by: neither folder nor ending. */
function bareName(name: string): string {
  return name.replace(/^.*[/\\]/, '').replace(/\.[^.]+$/, '');
}

/** ADetailer alone leaves one step of 128x128 of the base pass, and the server says so. */
function basePass({ kind, detailer, ...job }: Job): Pick<Job, 'steps' | 'sampler' | 'width' | 'height'> {
  return kind === 'img2img' && detailer?.skipImg2img === true
    ? { steps: 1, sampler: 'Euler', width: 128, height: 128 }
    : job;
}

function settings(job: Job, seed: number): Record<string, InfoValue> {
  const base = basePass(job);
  return {
    Steps: base.steps,
    Sampler: base.sampler,
    'Schedule type': job.scheduler,
    'CFG scale': decimal(job.cfgScale),
    Seed: seed,
    Size: `${base.width}x${base.height}`,
    'Model hash': checkpointOf(job.checkpoint).hash,
    Model: bareName(job.checkpoint),
    VAE: job.vae,
    'Denoising strength': job.denoising,
    'Clip skip': job.clipSkip > 1 ? job.clipSkip : undefined,
    ...job.hires,
    ...job.detailer?.settings,
    Version: version,
  };
}

function processed(job: Job, jobTimestamp: string, infotexts: readonly string[]): JsonObject {
  const count = job.seeds.length;
  const base = basePass(job);
  return {
    prompt: job.prompt,
    all_prompts: Array<string>(count).fill(job.prompt),
    negative_prompt: job.negative,
    all_negative_prompts: Array<string>(count).fill(job.negative),
    seed: job.seeds[0],
    all_seeds: job.seeds,
    subseed: job.subseed,
    all_subseeds: job.seeds.map((_, index) => job.subseed + index),
    subseed_strength: 0,
    width: base.width,
    height: base.height,
    sampler_name: base.sampler,
    cfg_scale: job.cfgScale,
    steps: base.steps,
    batch_size: job.batchSize,
    restore_faces: false,
    face_restoration_model: null,
    sd_model_name: bareName(job.checkpoint),
    sd_model_hash: checkpointOf(job.checkpoint).hash,
    sd_vae_name: job.vae ?? null,
    sd_vae_hash: null,
    seed_resize_from_w: -1,
    seed_resize_from_h: -1,
    denoising_strength: job.denoising ?? null,
    extra_generation_params: { ...job.hires, ...job.detailer?.settings },
    index_of_first_image: 0,
    infotexts,
    styles: [],
    job_timestamp: jobTimestamp,
    clip_skip: job.clipSkip,
    is_using_inpainting_conditioning: false,
    version: version,
  };
}

/** As Python prints a float: 7 is "7.0". */
export function decimal(number: number): string {
  return Number.isInteger(number) ? number.toFixed(1) : String(number);
}
