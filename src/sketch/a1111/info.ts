import { VERSION } from '../types.js';
import { checkpointOf } from './catalogue.js';
import { writeInfotext, type InfoValue } from './infotext.js';
import type { Job } from './job.js';

/** The infotext of the image with this seed. */
export function infotextOf(job: Job, seed: number): string {
  const { hash, model_name } = checkpointOf(job.checkpoint);
  // ADetailer sets the base pass to one step of 128x128, and the infotext says so.
  const base = job.adetailer?.skipImg2img === true ? { steps: 1, size: '128x128' } : undefined;
  return writeInfotext(job.prompt, job.negative, {
    Steps: base?.steps ?? job.steps,
    Sampler: job.sampler,
    'Schedule type': job.scheduler,
    'CFG scale': decimal(job.cfgScale),
    Seed: seed,
    Size: base?.size ?? `${job.width}x${job.height}`,
    'Model hash': hash,
    Model: model_name,
    VAE: job.vae,
    'Denoising strength': job.denoising,
    'Clip skip': job.clipSkip > 1 ? job.clipSkip : undefined,
    ...extraParams(job),
    Version: VERSION,
  });
}

/** The response's `info`, before it becomes a string. */
export function processedOf(job: Job, jobTimestamp: string): Record<string, unknown> {
  const { hash, model_name } = checkpointOf(job.checkpoint);
  const count = job.seeds.length;
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
    width: job.width,
    height: job.height,
    sampler_name: job.sampler,
    cfg_scale: job.cfgScale,
    steps: job.steps,
    batch_size: job.batchSize,
    restore_faces: false,
    face_restoration_model: null,
    sd_model_name: model_name,
    sd_model_hash: hash,
    sd_vae_name: job.vae ?? null,
    sd_vae_hash: null,
    seed_resize_from_w: -1,
    seed_resize_from_h: -1,
    denoising_strength: job.denoising ?? null,
    extra_generation_params: extraParams(job),
    index_of_first_image: 0,
    infotexts: job.seeds.map((seed) => infotextOf(job, seed)),
    styles: [],
    job_timestamp: jobTimestamp,
    clip_skip: job.clipSkip,
    is_using_inpainting_conditioning: false,
    version: VERSION,
  };
}

function extraParams(job: Job): Record<string, InfoValue> {
  return { ...job.hires, ...job.adetailer?.settings };
}

/** As Python prints a float: 7 is "7.0". */
function decimal(number: number): string {
  return Number.isInteger(number) ? number.toFixed(1) : String(number);
}
