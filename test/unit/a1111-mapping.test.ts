import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Family } from '../../src/backends/a1111/family.js';
import { toCall, type Parts } from '../../src/backends/a1111/mapping.js';
import { withoutLarge } from '../../src/backends/sent.js';
import type { ImageRequest } from '../../src/loop/index.js';

const a1111: Family = {
  product: 'AUTOMATIC1111',
  taskIds: true,
  samplerNames: 'exact',
  scheduler: 'scheduler',
  vae: { setting: 'sd_vae', list: '/sdapi/v1/sd-vae' },
  clipSkip: 'setting',
  hires: 'A1111',
  unsaid: {},
};
const forge: Family = {
  ...a1111,
  vae: { setting: 'forge_additional_modules', list: '/sdapi/v1/sd-modules' },
  hires: 'Forge',
};
const sdNext: Family = {
  ...a1111,
  taskIds: false,
  scheduler: 'schedulers_sigma',
  clipSkip: 'field',
  hires: 'SD.Next',
};

const plain: ImageRequest = {
  prompt: 'a hand',
  negative_prompt: 'blurry',
  seed: 7,
  width: 512,
  height: 768,
  steps: 25,
  cfg_scale: 6,
};
const full: ImageRequest = {
  ...plain,
  sampler: 'DPM++ 2M',
  scheduler: 'Karras',
  checkpoint: 'hands.safetensors',
  vae: 'ink.vae.safetensors',
  clip_skip: 2,
  styles: ['ink'],
  tiling: true,
  restore_faces: false,
};

const call = (request: ImageRequest, family = a1111, parts: Partial<Parts> = {}) =>
  toCall(request, { remoteId: 'id-1', ...parts }, family);

describe('a request becomes', () => {
  it('one image of txt2img, with only the fields that it names', () => {
    expect(call(plain)).toEqual({
      path: '/sdapi/v1/txt2img',
      body: {
        prompt: 'a hand',
        negative_prompt: 'blurry',
        seed: 7,
        width: 512,
        height: 768,
        steps: 25,
        cfg_scale: 6,
        batch_size: 1,
        n_iter: 1,
        send_images: true,
        save_images: false,
        force_task_id: 'id-1',
        override_settings: {},
        override_settings_restore_afterwards: false,
        alwayson_scripts: {},
      },
    });
  });

  it('every field that people use', () => {
    expect(call(full).body).toMatchObject({
      sampler_name: 'DPM++ 2M',
      scheduler: 'Karras',
      styles: ['ink'],
      tiling: true,
      restore_faces: false,
      override_settings: {
        sd_model_checkpoint: 'hands.safetensors',
        sd_vae: 'ink.vae.safetensors',
        CLIP_stop_at_last_layers: 2,
      },
    });
  });

  it('the fields of SD.Next, which has other ones and no task ids', () => {
    const { body } = call(full, sdNext);
    expect(body).toMatchObject({ schedulers_sigma: 'karras', clip_skip: 2 });
    expect(call({ ...full, scheduler: 'Beta' }, sdNext).body).toMatchObject({ schedulers_sigma: 'betas' });
    expect(call({ ...plain, sampler: 'DPM++ 2M Karras' }, sdNext).body).toMatchObject({
      sampler_name: 'DPM++ 2M',
      schedulers_sigma: 'karras',
    });
    expect(body['override_settings']).toEqual({
      sd_model_checkpoint: 'hands.safetensors',
      sd_vae: 'ink.vae.safetensors',
    });
    expect(body).not.toHaveProperty('force_task_id');
    expect(body).not.toHaveProperty('scheduler');
  });

  it('for Forge, a VAE by the path of its file', () => {
    const { body } = call(full, forge, { vae: '/models/VAE/ink.vae.safetensors' });
    expect(body['override_settings']).toMatchObject({
      forge_additional_modules: ['/models/VAE/ink.vae.safetensors'],
    });
    expect(body['override_settings']).not.toHaveProperty('sd_vae');
    expect(call({ ...full, vae: 'Automatic' }, forge).body['override_settings']).toMatchObject({
      forge_additional_modules: [],
    });
  });
});

describe('hires', () => {
  const hires = { ...full, hires: { scale: 1.5, upscaler: 'Latent', steps: 10, denoising_strength: 0.5 } };

  it('is the second pass of A1111', () => {
    expect(call(hires).body).toMatchObject({
      enable_hr: true,
      hr_scale: 1.5,
      hr_upscaler: 'Latent',
      hr_second_pass_steps: 10,
      denoising_strength: 0.5,
    });
    expect(call(hires).body).not.toHaveProperty('hr_cfg');
  });

  it('needs two more fields on Forge: without them it fails, or forgets the negative prompt', () => {
    expect(call(hires, forge).body).toMatchObject({ hr_additional_modules: ['Use same choices'], hr_cfg: 6 });
  });
});

describe('hires on SD.Next', () => {
  it('is told to change the size, and to sample again: by itself it does neither', () => {
    const hires = { ...full, hires: { scale: 1.5, upscaler: 'Resize Lanczos' } };
    expect(call(hires, sdNext).body).toMatchObject({
      hr_resize_mode: 1,
      hr_force: true,
      hr_upscaler: 'Resize Lanczos',
    });
  });

  it('has an upscaler in any case: without one it fails', () => {
    expect(call({ ...full, hires: { scale: 1.5 } }, sdNext).body).toMatchObject({
      hr_upscaler: 'Latent Bilinear',
    });
  });
});

describe('a picture to start from', () => {
  it('makes it img2img', () => {
    const { path, body } = call({ ...plain, denoising_strength: 0.6 }, a1111, { initImage: 'AAAA' });
    expect(path).toBe('/sdapi/v1/img2img');
    expect(body).toMatchObject({ init_images: ['AAAA'], denoising_strength: 0.6 });
    expect(body).not.toHaveProperty('mask');
  });

  it('with a mask is inpainted where the mask is, from what is there', () => {
    expect(call(plain, a1111, { initImage: 'AAAA', mask: 'BBBB' }).body).toMatchObject({
      mask: 'BBBB',
      inpainting_fill: 1,
      inpaint_full_res: true,
    });
  });

  it('that is repaired goes to ADetailer alone, in its own size', () => {
    const repair = { with: 'adetailer', prompt: 'five fingers', denoising_strength: 0.4 } as const;
    const { path, body } = call(plain, a1111, {
      initImage: 'AAAA',
      repair,
      size: { width: 1024, height: 1536 },
    });
    expect(path).toBe('/sdapi/v1/img2img');
    expect(body).toMatchObject({ width: 1024, height: 1536 });
    expect(body['alwayson_scripts']).toEqual({
      ADetailer: {
        args: [
          true,
          true,
          { ad_model: 'hand_yolov8n.pt', ad_prompt: 'five fingers', ad_denoising_strength: 0.4 },
        ],
      },
    });
  });
});

describe("the user's own fields", () => {
  it('go over ours', () => {
    expect(call({ ...full, a1111: { eta: 0.5, sampler_name: 'Euler' } }).body).toMatchObject({
      eta: 0.5,
      sampler_name: 'Euler',
    });
  });

  it('come beside ours in settings and scripts', () => {
    const { body } = call({
      ...full,
      a1111: {
        override_settings: { eta_noise_seed_delta: 31337 },
        alwayson_scripts: { ControlNet: { args: [] } },
      },
    });
    expect(body['override_settings']).toMatchObject({
      sd_vae: 'ink.vae.safetensors',
      eta_noise_seed_delta: 31337,
    });
    expect(body['alwayson_scripts']).toEqual({ ControlNet: { args: [] } });
  });

  it('do not replace a repair, whatever they do in other images', () => {
    const ours = { with: 'adetailer', model: 'hand_yolov8n.pt' } as const;
    const given = {
      alwayson_scripts: {
        adetailer: { args: [true, false, { ad_model: 'face_yolov8n.pt' }] },
        ControlNet: { args: [] },
      },
    };
    expect(call({ ...plain, a1111: given }).body['alwayson_scripts']).toEqual(given.alwayson_scripts);
    const { body } = call({ ...plain, a1111: given }, a1111, { initImage: 'AAAA', repair: ours });
    expect(body['alwayson_scripts']).toEqual({
      ADetailer: { args: [true, true, { ad_model: 'hand_yolov8n.pt' }] },
      ControlNet: { args: [] },
    });
  });

  it('keep their pictures out of the record, wherever they stand', () => {
    const picture = 'iVBORw0KGgo'.repeat(200);
    const body = {
      init_images: [picture],
      scripts: { args: [{ image: `data:image/png;base64,${picture}` }] },
      prompt: 'a '.repeat(900),
    };
    const kept = JSON.stringify(withoutLarge(body));
    expect(kept).not.toContain('iVBOR');
    expect(kept).toContain('(picture, 1650 bytes, sha256 ');
    expect(kept).toContain(body.prompt);
  });
});

it('small pictures are kept out of the record too, and words are not', () => {
  const mask = 'iVBORw0KGgoAAAANSUhEUgAAAQAAAAEACAAAAAB5Gfe6';
  const hash = createHash('sha256').update(Buffer.from(mask, 'base64')).digest('hex');
  expect(withoutLarge({ mask, init_images: [`data:image/png;base64,${mask}`], prompt: 'hand' })).toEqual({
    mask: `(picture, 33 bytes, sha256 ${hash})`,
    init_images: [`(picture, 33 bytes, sha256 ${hash})`],
    prompt: 'hand',
  });
});

it('settings that an earlier request changed are put back, unless this one names them', () => {
  const putBack = { CLIP_stop_at_last_layers: 1, sd_vae: 'Automatic' };
  expect(call(plain, a1111, { putBack }).body['override_settings']).toEqual(putBack);
  expect(call({ ...plain, clip_skip: 2 }, a1111, { putBack }).body['override_settings']).toEqual({
    CLIP_stop_at_last_layers: 2,
    sd_vae: 'Automatic',
  });
});
