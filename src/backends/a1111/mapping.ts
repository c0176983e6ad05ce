import { settle, type ImageRequest, type Json, type Repair } from '../../loop/index.js';
import { asTwo, sigmas, type Family } from './family.js';
import type { Sent } from '../port.js';
import { shown } from '../settings.js';
import type { Size } from './reply.js';

export type Body = { [field: string]: Json };
export type ADetailerRepair = Repair & { with: 'adetailer' };

/** One call of the generation API. */
export interface Call {
  path: '/sdapi/v1/txt2img' | '/sdapi/v1/img2img';
  body: Body;
}

/** What a request is made of beside its settings. Pictures are base64. */
export interface Parts {
  remoteId: string;
  initImage?: string;
  mask?: string;
  /** Repairs `initImage` instead of making a new picture. */
  repair?: ADetailerRepair;
  /** Of `initImage`, where that is what the result shall have (hires makes it larger than the request says). */
  size?: Size;
  /** The server's own name for the checkpoint: it drops one in another spelling, silently. */
  checkpoint?: string;
  /** Likewise for the sampler. */
  sampler?: string;
  /** Likewise for the VAE, or the path of its file, where the server wants a path. */
  vae?: string;
  /** Settings that earlier requests of ours changed on the server, and what they were before. */
  putBack?: Body;
}

const detectorDefault = 'hand_yolov8n.pt';

/** What these servers are sent where a request says nothing: their own defaults differ from version to version. */
export const defaults = { negative_prompt: '', width: 512, height: 512, steps: 20, cfg_scale: 7 };
export type Settled = ImageRequest & typeof defaults;

/** What the server chooses by itself, of the settings that every image has. */
const serverChoice: ReadonlySet<string> = new Set(['sampler', 'scheduler', 'checkpoint']);

/** What a server is sent of a request, setting by setting. */
export function sentOf(request: ImageRequest): Sent[] {
  const settled: ImageRequest = settle(request, defaults);
  return shown.flatMap((setting): Sent[] => {
    const value = settled[setting];
    if (value === undefined) return serverChoice.has(setting) ? [{ setting, from: 'server' }] : [];
    return [{ setting, value, from: request[setting] === undefined ? 'default' : 'pipeline' }];
  });
}

/** The request in a server's words. Pure. */
export function toCall(asked: ImageRequest, parts: Parts, family: Family): Call {
  const request = settle(asked, defaults);
  const fromImage = parts.initImage !== undefined;
  const ours: Body = {
    ...common(request, parts, family),
    ...(fromImage ? imageFields(request, parts) : hiresFields(request, family)),
    ...parts.size,
  };
  const given: Body = request.a1111 ?? {};
  return {
    path: fromImage ? '/sdapi/v1/img2img' : '/sdapi/v1/txt2img',
    body: {
      ...ours,
      ...given,
      // These two hold many things: the user's come beside ours, not in their place.
      override_settings: { ...asBody(ours['override_settings']), ...asBody(given['override_settings']) },
      alwayson_scripts: scripts(asBody(given['alwayson_scripts']), parts.repair),
    },
  };
}

/** The user's scripts. In a repair ADetailer is ours: by the user's words it might make the whole picture anew. */
function scripts(given: Body, repair: ADetailerRepair | undefined): Body {
  if (!repair) return given;
  const others = Object.entries(given).filter(([name]) => name.toLowerCase() !== 'adetailer');
  return { ...Object.fromEntries(others), ADetailer: { args: detailerArgs(repair) } };
}

function common(request: Settled, parts: Parts, family: Family): Body {
  return {
    prompt: request.prompt,
    negative_prompt: request.negative_prompt,
    seed: request.seed,
    width: request.width,
    height: request.height,
    steps: request.steps,
    cfg_scale: request.cfg_scale,
    batch_size: 1,
    n_iter: 1,
    send_images: true,
    save_images: false,
    ...defined({
      ...samplerFields(request, parts.sampler, family),
      styles: request.styles,
      tiling: request.tiling,
      restore_faces: request.restore_faces,
      clip_skip: family.clipSkip === 'field' ? request.clip_skip : undefined,
    }),
    ...(family.taskIds && { force_task_id: parts.remoteId }),
    override_settings: {
      ...parts.putBack,
      ...defined({
        sd_model_checkpoint: parts.checkpoint ?? request.checkpoint,
        CLIP_stop_at_last_layers: family.clipSkip === 'setting' ? request.clip_skip : undefined,
        [family.vae.setting]: vaeSetting(request.vae, parts.vae, family),
      }),
    },
    // Restoring would make the server load the old weights again before somebody else's request.
    override_settings_restore_afterwards: false,
  };
}

function samplerFields({ sampler, scheduler }: ImageRequest, known: string | undefined, family: Family) {
  if (family.scheduler === 'scheduler') return { sampler_name: sampler, scheduler };
  if (family.scheduler === 'in the sampler') return { sampler_name: known ?? sampler };
  const two = sampler === undefined ? undefined : asTwo(sampler);
  const asked = scheduler ?? two?.scheduler;
  return {
    sampler_name: two?.sampler ?? sampler,
    schedulers_sigma: asked && (sigmas[asked.toLowerCase()] ?? asked),
  };
}

function vaeSetting(vae: string | undefined, known: string | undefined, family: Family): Json | undefined {
  if (vae === undefined) return undefined;
  if (family.vae.setting === 'sd_vae') return known ?? vae;
  return /^(automatic|none)$/i.test(vae) ? [] : [known ?? vae];
}

function hiresFields(request: Settled, family: Family): Body {
  const { hires } = request;
  if (hires === undefined) return defined({ denoising_strength: request.denoising_strength });
  return {
    enable_hr: true,
    hr_scale: hires.scale,
    ...defined({
      hr_upscaler: hires.upscaler,
      hr_second_pass_steps: hires.steps,
      denoising_strength: hires.denoising_strength ?? request.denoising_strength,
    }),
    ...hiresOf(request, family),
  };
}

function hiresOf(request: Settled, family: Family): Body {
  switch (family.hires) {
    case 'A1111':
      return {};
    case 'Forge': // which fails without the first, and loses its negative prompt without the second
      return { hr_additional_modules: ['Use same choices'], hr_cfg: request.cfg_scale };
    case 'SD.Next': // which keeps the size without a mode, fails without an upscaler, and only resizes unless forced
      return {
        hr_resize_mode: 1,
        hr_force: true,
        hr_upscaler: request.hires?.upscaler ?? 'Latent Bilinear',
      };
  }
}

function imageFields(request: ImageRequest, parts: Parts): Body {
  return {
    init_images: [parts.initImage ?? ''],
    ...defined({ denoising_strength: request.denoising_strength }),
    ...(parts.mask !== undefined && {
      mask: parts.mask,
      mask_blur: 4,
      inpainting_fill: 1, // start from what is there
      inpaint_full_res: true, // only the masked part, at full size
      inpaint_full_res_padding: 32,
    }),
  };
}

/** ADetailer by itself, without the img2img pass before it (its second argument). */
function detailerArgs(repair: ADetailerRepair): Json[] {
  const unit = defined({
    ad_model: repair.model ?? detectorDefault,
    ad_prompt: repair.prompt,
    ad_denoising_strength: repair.denoising_strength,
    ad_confidence: repair.confidence,
  });
  return [true, true, unit];
}

export function detectorOf(repair: ADetailerRepair): string {
  return repair.model ?? detectorDefault;
}

function defined(fields: { [field: string]: Json | undefined }): Body {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, Json] => entry[1] !== undefined),
  );
}

function asBody(value: Json | undefined): Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}
