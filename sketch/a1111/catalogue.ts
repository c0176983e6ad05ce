import { createHash } from 'node:crypto';

/** A sampler as /sdapi/v1/samplers lists it; `options.scheduler` is its default scheduler. */
export interface Sampler {
  name: string;
  aliases: string[];
  options: Record<string, string>;
}

export interface Scheduler {
  name: string;
  label: string;
  aliases: string[] | null;
  default_rho: number;
  need_inner_model: boolean;
}

export interface Checkpoint {
  title: string;
  model_name: string;
  hash: string;
  sha256: string;
  filename: string;
  config: string | null;
}

const sampler = (name: string, alias: string, options: Record<string, string> = {}): Sampler => ({
  name,
  aliases: [alias],
  options,
});

/** AUTOMATIC1111 1.10.1's samplers; the first one stands in for every unknown name. */
export const knownSamplers: readonly Sampler[] = [
  sampler('DPM++ 2M', 'k_dpmpp_2m', { scheduler: 'karras' }),
  sampler('DPM++ SDE', 'k_dpmpp_sde', { scheduler: 'karras', second_order: 'True', brownian_noise: 'True' }),
  sampler('DPM++ 2M SDE', 'k_dpmpp_2m_sde', { scheduler: 'exponential', brownian_noise: 'True' }),
  sampler('DPM++ 2M SDE Heun', 'k_dpmpp_2m_sde_heun', {
    scheduler: 'exponential',
    brownian_noise: 'True',
    solver_type: 'heun',
  }),
  sampler('DPM++ 2S a', 'k_dpmpp_2s_a', { scheduler: 'karras', uses_ensd: 'True', second_order: 'True' }),
  sampler('DPM++ 3M SDE', 'k_dpmpp_3m_sde', {
    scheduler: 'exponential',
    discard_next_to_last_sigma: 'True',
    brownian_noise: 'True',
  }),
  sampler('Euler a', 'k_euler_a', { uses_ensd: 'True' }),
  sampler('Euler', 'k_euler'),
  sampler('LMS', 'k_lms'),
  sampler('Heun', 'k_heun', { second_order: 'True' }),
  sampler('DPM2', 'k_dpm_2', {
    scheduler: 'karras',
    discard_next_to_last_sigma: 'True',
    second_order: 'True',
  }),
  sampler('DPM2 a', 'k_dpm_2_a', {
    scheduler: 'karras',
    discard_next_to_last_sigma: 'True',
    uses_ensd: 'True',
    second_order: 'True',
  }),
  sampler('DPM fast', 'k_dpm_fast', { uses_ensd: 'True' }),
  sampler('DPM adaptive', 'k_dpm_ad', { uses_ensd: 'True' }),
  sampler('Restart', 'restart', { scheduler: 'karras', second_order: 'True' }),
  sampler('DDIM', 'ddim'),
  sampler('DDIM CFG++', 'ddim_cfgpp'),
  sampler('PLMS', 'plms'),
  sampler('UniPC', 'unipc'),
  sampler('LCM', 'k_lcm'),
];

const scheduler = (
  name: string,
  label: string,
  need_inner_model = false,
  default_rho = -1,
  aliases: string[] | null = null,
): Scheduler => ({ name, label, aliases, default_rho, need_inner_model });

/** AUTOMATIC1111 1.10.1's schedulers; the first one stands in for every unknown name. */
export const knownSchedulers: readonly Scheduler[] = [
  scheduler('automatic', 'Automatic'),
  scheduler('uniform', 'Uniform', true),
  scheduler('karras', 'Karras', false, 7),
  scheduler('exponential', 'Exponential'),
  scheduler('polyexponential', 'Polyexponential', false, 1),
  scheduler('sgm_uniform', 'SGM Uniform', true, -1, ['SGMUniform']),
  scheduler('kl_optimal', 'KL Optimal'),
  scheduler('align_your_steps', 'Align Your Steps'),
  scheduler('simple', 'Simple', true),
  scheduler('normal', 'Normal', true),
  scheduler('ddim', 'DDIM', true),
  scheduler('beta', 'Beta', true),
];

/**
 * What the real server makes of the names that it is given: an unknown sampler becomes the first one,
 * an unknown scheduler Automatic, and "DPM++ 2M Karras" is two names (its sd_samplers.py).
 */
export function samplerAndScheduler(
  samplers: readonly Sampler[],
  schedulers: readonly Scheduler[],
  samplerName: string | undefined,
  schedulerName: string | undefined,
): { sampler: string; scheduler: string } {
  let name = samplerName ?? 'DPM++ 2M';
  let found = schedulers.find((known) => known.name === schedulerName || known.label === schedulerName);
  for (const known of schedulers) {
    const names = [known.label, known.name, ...(known.aliases ?? [])];
    const suffix = names.find((word) => name.endsWith(` ${word}`));
    if (suffix === undefined) continue;
    found = known;
    name = name.slice(0, -(suffix.length + 1));
  }
  return {
    sampler: samplers.some((known) => known.name === name) ? name : 'DPM++ 2M',
    scheduler: found?.label ?? 'Automatic',
  };
}

export const upscalers = ['None', 'Lanczos', 'Nearest', 'R-ESRGAN 4x+', 'R-ESRGAN 4x+ Anime6B'];

export const latentUpscaleModes = [
  'Latent',
  'Latent (antialiased)',
  'Latent (bicubic)',
  'Latent (bicubic antialiased)',
  'Latent (nearest)',
  'Latent (nearest-exact)',
];

export const vaes = ['sketch-ink.vae.safetensors'];

/** Where the checkpoints would lie, if there were any. */
const folder = '/sketch/drawings-not-a-diffusion-model';

export function checkpointOf(name: string): Checkpoint {
  const sha256 = createHash('sha256').update(name).digest('hex');
  const hash = sha256.slice(0, 10);
  return {
    title: `${name} [${hash}]`,
    model_name: name.replace(/[/\\]/g, '_').replace(/\.[^.]+$/, ''),
    hash,
    sha256,
    filename: `${folder}/Stable-diffusion/${name}`,
    config: null,
  };
}

export const loras = ['sketch-ink-style'];

/** Forge's modules: VAEs and text encoders, by path. */
export const knownModules = [...vaes, 'sketch-t5xxl.safetensors'];

/** The names that an infotext of Forge gives for module paths, or for a VAE. */
export function modulesOf(paths: readonly string[], vae: unknown): string[] {
  const all = paths.length === 0 && typeof vae === 'string' ? [vae] : paths;
  return all.map((path) => path.replace(/^.*[/\\]/, '').replace(/\.[^.]+$/, ''));
}

export const loraFile = (name: string): string => `${folder}/Lora/${name}.safetensors`;

export const vaeFile = (name: string): string => `${folder}/VAE/${name}`;

/** Scripts by the names of /sdapi/v1/scripts, which are lower case. */
export const scripts = {
  txt2img: [
    'prompt matrix',
    'prompts from file or textbox',
    'x/y/z plot',
    'adetailer',
    'refiner',
    'seed',
    'sampler',
  ],
  img2img: ['sd upscale', 'x/y/z plot', 'adetailer', 'refiner', 'seed', 'soft inpainting', 'sampler'],
};

/** Scripts that a request names in `script_name`, not in `alwayson_scripts`. */
export const selectableScripts = [
  'prompt matrix',
  'prompts from file or textbox',
  'x/y/z plot',
  'sd upscale',
];
