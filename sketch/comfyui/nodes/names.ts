/** The samplers and schedulers of ComfyUI 0.33. */

export const samplerNames = (
  'euler euler_cfg_pp euler_ancestral euler_ancestral_cfg_pp heun heunpp2 exp_heun_2_x0 exp_heun_2_x0_sde dpm_2 ' +
  'dpm_2_ancestral lms dpm_fast dpm_adaptive dpmpp_2s_ancestral dpmpp_2s_ancestral_cfg_pp dpmpp_sde dpmpp_sde_gpu ' +
  'dpmpp_2m dpmpp_2m_cfg_pp dpmpp_2m_sde dpmpp_2m_sde_gpu dpmpp_2m_sde_heun dpmpp_2m_sde_heun_gpu dpmpp_3m_sde ' +
  'dpmpp_3m_sde_gpu ddpm lcm ipndm ipndm_v deis res_multistep res_multistep_cfg_pp res_multistep_ancestral ' +
  'res_multistep_ancestral_cfg_pp gradient_estimation gradient_estimation_cfg_pp er_sde seeds_2 seeds_3 sa_solver ' +
  'sa_solver_pece ddim uni_pc uni_pc_bh2'
).split(' ');

export const schedulerNames =
  'simple sgm_uniform karras exponential ddim_uniform beta normal linear_quadratic kl_optimal'.split(' ');

/** Models besides the checkpoints, by the folders of /models. */
const modelFolders: Readonly<Record<string, readonly string[]>> = {
  loras: ['sketch-ink-style.safetensors'],
  vae: ['sketch-ink.vae.safetensors'],
  diffusion_models: ['sketch-flux-hands.safetensors'],
  text_encoders: ['sketch-clip-l.safetensors', 'sketch-t5xxl.safetensors'],
  controlnet: [],
  upscale_models: [],
  embeddings: [],
};

export function modelNames(folder: string): readonly string[] {
  return modelFolders[folder] ?? [];
}
