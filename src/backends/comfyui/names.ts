/** A1111's names of samplers and schedulers in ComfyUI's words, so that one pipeline serves both kinds. */

const samplers: { readonly [name: string]: string } = {
  'dpm++ 2m': 'dpmpp_2m',
  'dpm++ sde': 'dpmpp_sde',
  'dpm++ 2m sde': 'dpmpp_2m_sde',
  'dpm++ 2m sde heun': 'dpmpp_2m_sde_heun',
  'dpm++ 2s a': 'dpmpp_2s_ancestral',
  'dpm++ 3m sde': 'dpmpp_3m_sde',
  'euler a': 'euler_ancestral',
  euler: 'euler',
  lms: 'lms',
  heun: 'heun',
  dpm2: 'dpm_2',
  'dpm2 a': 'dpm_2_ancestral',
  'dpm fast': 'dpm_fast',
  'dpm adaptive': 'dpm_adaptive',
  ddim: 'ddim',
  'ddim cfg++': 'euler_cfg_pp',
  unipc: 'uni_pc',
  lcm: 'lcm',
};

/** A1111 knows each by a name (`sgm_uniform`) and a label (`SGM Uniform`). */
const schedulers: { readonly [name: string]: string } = {
  uniform: 'normal',
  normal: 'normal',
  karras: 'karras',
  exponential: 'exponential',
  'sgm uniform': 'sgm_uniform',
  sgm_uniform: 'sgm_uniform',
  'kl optimal': 'kl_optimal',
  kl_optimal: 'kl_optimal',
  simple: 'simple',
  ddim: 'ddim_uniform',
  beta: 'beta',
};

/** The sampler, and the scheduler where the name has one in it ("DPM++ 2M Karras"). Unknown names stay as they are. */
export function comfySampler(name: string): { sampler: string; scheduler?: string } {
  const plain = fold(name);
  if (samplers[plain] !== undefined) return { sampler: samplers[plain] };
  for (const [ending, scheduler] of Object.entries(schedulers)) {
    if (!plain.endsWith(` ${ending}`)) continue;
    const sampler = samplers[plain.slice(0, -ending.length - 1)];
    if (sampler !== undefined) return { sampler, scheduler };
  }
  return { sampler: name };
}

/** Undefined for "Automatic": the workflow's own. Unknown names stay as they are. */
export function comfyScheduler(name: string): string | undefined {
  const plain = fold(name);
  return plain === 'automatic' ? undefined : (schedulers[plain] ?? name);
}

function fold(name: string): string {
  return name.trim().toLowerCase().replace(/\s+/g, ' ');
}
