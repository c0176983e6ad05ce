import { randomInt } from 'node:crypto';
import { pick } from '../luck.js';
import type { DrawRequest } from '../drawing/index.js';
import type { Fault } from '../types.js';
import { latentUpscaleModes, selectableScripts } from './catalogue.js';
import { outOfMemory } from './cuda.js';
import type { Detailer, Family, JobKind } from './family/index.js';
import type { Request } from './fields.js';
import { Tasks } from './state.js';
import type { Webui } from './webui.js';

/** A generation as the server will really do it: every substitution has been made. */
export interface Job {
  kind: JobKind;
  taskId: string;
  prompt: string;
  negative: string;
  /** One for each image: the first one and its followers. */
  seeds: number[];
  subseed: number;
  sampler: string;
  scheduler: string;
  checkpoint: string;
  vae: string | undefined;
  /** Forge's additional modules, by path. */
  modules: string[];
  clipSkip: number;
  steps: number;
  cfgScale: number;
  /** As asked for. */
  width: number;
  height: number;
  /** Pixels of the result: after hires, and whole latents only. */
  size: { width: number; height: number };
  batchSize: number;
  iterations: number;
  denoising: number | undefined;
  /** What hires adds to the infotext. */
  hires: Record<string, string | number>;
  initImage: Buffer | undefined;
  detailer: Detailer | undefined;
}

/** Decides what the server will do. @throws HttpAnswer where the real server refuses. */
export function planJob(webui: Webui, kind: JobKind, request: Request, fault: Fault | undefined): Job {
  const { family } = webui;
  family.check(kind, request);
  checkScripts(family, kind, request);
  const override = request.dict('override_settings');
  for (const key of Object.keys(override)) {
    if (key in webui.options || family.isSdNext) continue;
    throw family.failure(500, 'KeyError', '', `'${key}'`);
  }
  const hires = kind === 'txt2img' && family.resizes(request);
  const upscaler = request.name('hr_upscaler');
  if (hires && upscaler !== undefined && ![...family.upscalers, ...latentUpscaleModes].includes(upscaler)) {
    throw family.failure(500, 'Exception', '', `could not find upscaler named ${upscaler}`);
  }
  const seed = request.number('seed') === -1 ? randomInt(2 ** 32) : request.number('seed');
  const batchSize = Math.max(1, request.number('batch_size'));
  const iterations = Math.max(1, request.number('n_iter'));
  const fixedSeed = request.number('subseed_strength') > 0;
  const job: Job = {
    kind,
    taskId: request.name('force_task_id') ?? Tasks.newId(kind),
    prompt: request.text('prompt'),
    negative: request.text('negative_prompt'),
    seeds: Array.from({ length: batchSize * iterations }, (_, index) => (fixedSeed ? seed : seed + index)),
    subseed: request.number('subseed') === -1 ? randomInt(2 ** 32) : request.number('subseed'),
    ...family.names(request),
    // An unknown checkpoint is dropped without a word, as in the real server.
    checkpoint: webui.findCheckpoint(override['sd_model_checkpoint']) ?? webui.checkpoint,
    vae: vaeOf(override['sd_vae'] ?? webui.options['sd_vae']),
    modules: modulesOf(override['forge_additional_modules'] ?? webui.options['forge_additional_modules']),
    clipSkip: clipSkipOf(webui, request),
    steps: Math.max(1, request.number('steps')),
    cfgScale: request.number('cfg_scale'),
    width: request.number('width'),
    height: request.number('height'),
    size: sizeOf(family, request, hires),
    batchSize,
    iterations,
    denoising: hires || kind === 'img2img' ? request.number('denoising_strength') : undefined,
    hires: hires ? hiresSettings(request) : {},
    initImage: kind === 'img2img' ? decodeImage(family, request.list('init_images')?.[0]) : undefined,
    detailer: family.detailer(request),
  };
  return fault === 'substituted' ? substitute(webui, job) : job;
}

/** What one image of the job is drawn from. */
export function drawRequest(job: Job, seed: number, badRate: number): DrawRequest {
  return {
    prompt: job.prompt,
    negative_prompt: job.negative,
    seed,
    steps: job.steps,
    cfg_scale: job.cfgScale,
    ...job.size,
    badRate,
    checkpoint: job.checkpoint,
  };
}

/** An image in base64, with or without `data:image/...;base64,` before it. */
function decodeImage(family: Family, encoded: unknown): Buffer {
  const text = typeof encoded === 'string' ? encoded : '';
  if (/^https?:/.test(text)) throw family.failure(500, 'HTTPException', 'Requests not allowed');
  const bytes = Buffer.from(text.replace(/^data:image\/[^;]*;base64,/, ''), 'base64');
  const known = [
    [0x89, 0x50, 0x4e, 0x47],
    [0xff, 0xd8, 0xff],
    [0x52, 0x49, 0x46, 0x46],
  ];
  if (!known.some((magic) => magic.every((byte, index) => bytes[index] === byte))) {
    throw family.failure(500, 'HTTPException', 'Invalid encoded image');
  }
  return bytes;
}

function checkScripts(family: Family, kind: JobKind, request: Request): void {
  const known = family.scripts[kind];
  const selected = request.name('script_name')?.toLowerCase();
  const isKnown =
    selected === undefined || (selectableScripts.includes(selected) && known.includes(selected));
  // SD.Next leaves an unknown one out, silently.
  if (!isKnown && !family.isSdNext) {
    throw family.failure(422, 'HTTPException', `Script '${request.text('script_name')}' not found`);
  }
  for (const name of Object.keys(request.dict('alwayson_scripts'))) {
    if (!known.includes(name.toLowerCase())) {
      throw family.failure(
        422,
        'HTTPException',
        family.isSdNext ? `Always on script not found: ${name}` : `Script '${name}' not found`,
      );
    }
    if (selectableScripts.includes(name.toLowerCase())) {
      const detail = 'Cannot have a selectable script in the always on scripts params';
      throw family.failure(422, 'HTTPException', detail);
    }
  }
}

function sizeOf(family: Family, request: Request, hires: boolean): Job['size'] {
  let width = request.number('width');
  let height = request.number('height');
  if (hires) {
    const toX = request.number('hr_resize_x');
    const toY = request.number('hr_resize_y');
    const scale = request.number('hr_scale');
    [width, height] =
      toX === 0 && toY === 0
        ? [width * scale, height * scale]
        : [toX === 0 ? (toY * width) / height : toX, toY === 0 ? (toX * height) / width : toY];
  }
  const size = { width: wholeLatents(width), height: wholeLatents(height) };
  if (size.width * size.height > 4096 * 4096) throw family.failure(500, 'OutOfMemoryError', '', outOfMemory);
  return size;
}

function hiresSettings(request: Request): Record<string, string | number> {
  const steps = request.number('hr_second_pass_steps');
  const resize = `${request.number('hr_resize_x')}x${request.number('hr_resize_y')}`;
  return {
    ...(resize === '0x0' ? { 'Hires upscale': request.number('hr_scale') } : { 'Hires resize': resize }),
    ...(steps === 0 ? {} : { 'Hires steps': steps }),
    'Hires upscaler': request.name('hr_upscaler') ?? 'Latent',
  };
}

/** A latent stands for 8 pixels, so a picture's sides are multiples of 8. */
const wholeLatents = (pixels: number): number => Math.max(8, Math.floor(pixels / 8) * 8);

function clipSkipOf(webui: Webui, request: Request): number {
  const key = 'CLIP_stop_at_last_layers';
  if (webui.family.isSdNext) return request.number('clip_skip');
  return Number(request.dict('override_settings')[key] ?? webui.options[key]);
}

function modulesOf(option: unknown): string[] {
  return Array.isArray(option) ? option.map(String) : [];
}

function vaeOf(option: unknown): string | undefined {
  return typeof option === 'string' && !['Automatic', 'None', ''].includes(option) ? option : undefined;
}

function substitute(webui: Webui, job: Job): Job {
  const seed = job.seeds[0] ?? 0;
  const others = webui.life.studio.options.checkpoints.filter((name) => name !== job.checkpoint);
  const kinds = ['sampler', 'seed', ...(others.length > 0 ? ['checkpoint'] : [])];
  switch (pick(kinds, 'substitute', seed)) {
    case 'sampler':
      return {
        ...job,
        sampler: webui.family.samplers.find(({ name }) => name !== job.sampler)?.name ?? job.sampler,
      };
    case 'seed':
      return { ...job, seeds: job.seeds.map((each) => (each + 1) % 2 ** 32) };
    default:
      return { ...job, checkpoint: pick(others, 'substitute', seed) };
  }
}
