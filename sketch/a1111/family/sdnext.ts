import { HttpAnswer, type JsonObject } from '../../http.js';
import { version } from '../../types.js';
import { checkpointOf, knownSamplers, type Checkpoint, type Sampler } from '../catalogue.js';
import { img2img, txt2img, type Fields, type Request } from '../fields.js';
import type { Job } from '../job.js';
import { a1111 } from './a1111.js';
import type { Detailer, Family } from './family.js';

const detailers = ['face-yolo8n', 'hand-yolo8n', 'person-yolo8n', 'eyes-full-v1'];

/** Names that AUTOMATIC1111 has and SD.Next has not. */
const notHere = new Set([
  'DPM++ 2M SDE Heun',
  'DPM++ 2S a',
  'LMS',
  'DPM2',
  'DPM2 a',
  'DPM fast',
  'DPM adaptive',
]);
const norHere = new Set(['Restart', 'DDIM CFG++', 'PLMS', 'DPM++ 3M SDE']);

const samplers: Sampler[] = [
  ...knownSamplers.filter(({ name }) => !notHere.has(name) && !norHere.has(name)),
  ...[
    'DPM++ 3M',
    'DPM++ 1S',
    'DEIS',
    'SA Solver',
    'DC Solver',
    'KDPM2',
    'KDPM2 a',
    'PNDM',
    'LMSD',
    'TCD',
  ].map((name) => ({ name, aliases: [], options: {} })),
].map(({ name }) => ({ name, aliases: [], options: {} }));

const fields = (base: Fields, denoising: number): Fields => {
  // Fields that SD.Next does not know and therefore ignores.
  const unknown = ['scheduler', 'infotext', 'force_task_id', 'override_settings_restore_afterwards'];
  const known = Object.entries(base).filter(([name]) => !unknown.includes(name));
  return {
    ...Object.fromEntries(known),
    override_settings_restore_afterwards: ['bool', true],
    sampler_name: ['str', 'Default'],
    sampler_index: ['str', '0'],
    steps: ['int', 20],
    width: ['int', 1024],
    height: ['int', 1024],
    cfg_scale: ['float', 6],
    denoising_strength: ['float', denoising],
    clip_skip: ['int', 1],
    hr_resize_mode: ['int', 0],
    hr_force: ['bool', false],
    detailer_enabled: ['bool', false],
    detailer_prompt: ['str', ''],
    detailer_negative: ['str', ''],
    detailer_steps: ['int', 10],
    detailer_strength: ['float', 0.3],
    detailer_models: ['list', null],
    detailer_conf: ['float', null],
  };
};

/** SD.Next, of July 2026. */
export const sdnext: Family = {
  ...a1111,
  fields: {
    txt2img: fields(txt2img, 0.3),
    img2img: { ...fields(img2img, 0.5), inpaint_full_res: ['bool', false] },
  },
  samplers,
  upscalers: [
    'None',
    'Resize Nearest',
    'Resize Lanczos',
    'Latent Nearest',
    'Latent Bilinear',
    'ESRGAN 4x Ultrasharp',
  ],
  schedulers: samplers.map(({ name }) => ({ name, cls: `${name.replace(/\W/g, '')}Scheduler`, options: {} })),
  scripts: {
    txt2img: ['prompt matrix', 'prompts from file', 'x/y/z grid', 'face: multiple id transfers'],
    img2img: ['prompt matrix', 'prompts from file', 'x/y/z grid', 'outpainting'],
  },
  failure: (status, error, detail, errors = '') =>
    new HttpAnswer(status, {
      error,
      code: status,
      detail,
      body: '',
      errors: errors || `${status}: ${detail}`,
    }),
  names: (request) => {
    const asked = request.name('sampler_name') ?? request.name('sampler_index') ?? '';
    if (asked === 'Default') return { sampler: asked, scheduler: 'Automatic' };
    const known = samplers.find(({ name }) => name.toLowerCase() === asked.toLowerCase());
    if (known === undefined) throw sdnext.failure(404, 'HTTPException', 'Sampler not found');
    return { sampler: known.name, scheduler: 'Automatic' };
  },
  checkpoint,
  // Fewer names mean it than elsewhere: neither the file's name nor the long hash.
  aliases: (name) => {
    const { model_name, title, filename, hash } = checkpoint(name);
    return [model_name, filename, hash, title];
  },
  check: (kind, request) => {
    if (kind === 'img2img' && request.list('init_images') === undefined) {
      throw new HttpAnswer(400, { error: 'Init image is none' });
    }
    if (resizes(request) && request.name('hr_upscaler') === undefined) {
      throw sdnext.failure(500, 'AttributeError', '', "'NoneType' object has no attribute 'lower'");
    }
  },
  detailer,
  resizes,
  settings: (job, seed) => ({
    Steps: job.steps,
    Size: `${job.width}x${job.height}`,
    Sampler: job.sampler === 'Default' ? undefined : job.sampler,
    Seed: seed,
    'CFG scale': job.cfgScale,
    'CLiP-skip': job.clipSkip > 1 ? job.clipSkip : undefined,
    Batch: job.seeds.length > 1 ? `${job.iterations}x${job.batchSize}` : undefined,
    App: 'SD.Next',
    Version: version,
    Operations: job.kind,
    Model: checkpointOf(job.checkpoint).model_name,
    'Model hash': checkpointOf(job.checkpoint).hash,
    'Denoising strength': job.kind === 'img2img' ? job.denoising : undefined,
    ...job.detailer?.settings,
  }),
  processed,
  isSdNext: true,
};

/** Whether the hires pass changes the size: without a mode it does not. */
function resizes(request: Request): boolean {
  return request.flag('enable_hr') && request.number('hr_resize_mode') > 0;
}

function checkpoint(name: string): Checkpoint {
  const model_name = name.replace(/\.[^.]+$/, '');
  const known = checkpointOf(name);
  return { ...known, model_name, title: `${model_name} [${known.hash}]` };
}

function detailer(request: Request): Detailer | undefined {
  if (!request.flag('detailer_enabled')) return undefined;
  const models = (request.list('detailer_models') ?? ['face-yolo8n']).map(String);
  return {
    skipImg2img: false,
    hands: models.some((model) => model.startsWith('hand') && detailers.includes(model)),
    settings: {
      Detailer: models.join(', '),
      'Detailer steps': request.number('detailer_steps'),
      'Detailer strength': request.number('detailer_strength'),
    },
  };
}

function processed(job: Job, jobTimestamp: string, infotexts: readonly string[]): JsonObject {
  const missing = [
    'restore_faces',
    'face_restoration_model',
    'sd_model_name',
    'sd_vae_name',
    'sd_vae_hash',
    'version',
  ];
  const others = Object.entries(a1111.processed(job, jobTimestamp, infotexts)).filter(
    ([key]) => !missing.includes(key) && key !== 'is_using_inpainting_conditioning',
  );
  return {
    ...Object.fromEntries(others),
    cfg_end: 1,
    detailer: job.detailer !== undefined,
    detailer_model: null,
  };
}
