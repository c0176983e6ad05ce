/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-argument -- replies of any shape, judged by the tests */
import { afterEach, describe, expect, it } from 'vitest';
import { readTruth, type Flavour, type SketchOptions, type SketchServer } from '../index.js';
import { openServer } from '../server.js';
import { quickArtist } from '../../test/support/quick-artist.js';

const servers: SketchServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(flavour: Flavour, options: Partial<SketchOptions> = {}): Promise<SketchServer> {
  const server = await openServer({ flavour, ...options }, quickArtist);
  servers.push(server);
  return server;
}

async function ask(
  server: SketchServer,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: any }> {
  const response = await fetch(
    server.url + path,
    body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) },
  );
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

const small = { width: 64, height: 64, steps: 20, seed: 7, prompt: 'a hand' };
const imageOf = (reply: any): Buffer => Buffer.from(reply.body.images[0], 'base64');

describe('Forge', () => {
  it('has sd-modules where the others have sd-vae', async () => {
    const server = await start('forge');
    expect((await ask(server, '/sdapi/v1/sd-modules')).body).toBeInstanceOf(Array);
    expect((await ask(server, '/sdapi/v1/sd-vae')).status).toBe(404);
    expect((await ask(server, '/openapi.json')).body.paths).toHaveProperty('/sdapi/v1/sd-modules');
  });

  it('breaks over hires without hr_additional_modules', async () => {
    const server = await start('forge');
    expect(await ask(server, '/sdapi/v1/txt2img', { ...small, enable_hr: true })).toEqual({
      status: 500,
      body: {
        error: 'TypeError',
        detail: '',
        body: '',
        message: "argument of type 'NoneType' is not iterable",
      },
    });
    const hires = { ...small, enable_hr: true, hr_additional_modules: ['Use same choices'], hr_cfg: 7 };
    expect((await ask(server, '/sdapi/v1/txt2img', hires)).status).toBe(200);
  });

  it('puts an HTTPException as FastAPI does, and names modules in the infotext', async () => {
    const server = await start('forge');
    expect(await ask(server, '/sdapi/v1/img2img', small)).toEqual({
      status: 404,
      body: { detail: 'Init image not found' },
    });
    const override_settings = { forge_additional_modules: ['/models/VAE/ae.safetensors'] };
    const reply = await ask(server, '/sdapi/v1/txt2img', { ...small, override_settings });
    expect(JSON.parse(reply.body.info).infotexts[0]).toMatch(/Version: sketch [^,]*, Module 1: ae$/);
  });
});

describe('reForge', () => {
  it('finds samplers in any case', async () => {
    const server = await start('reforge');
    const reply = await ask(server, '/sdapi/v1/txt2img', { ...small, sampler_name: 'euler A' });
    expect(JSON.parse(reply.body.info).sampler_name).toBe('Euler a');
  });
});

describe('SD.Next', () => {
  it('answers /interrupt and its like with 204 and no body', async () => {
    const server = await start('sdnext');
    for (const path of ['interrupt', 'refresh-loras']) {
      expect(await ask(server, `/sdapi/v1/${path}`, {})).toEqual({ status: 204, body: undefined });
    }
  });

  it('refuses an unknown sampler with 404 and img2img without images with 400', async () => {
    const server = await start('sdnext');
    expect(await ask(server, '/sdapi/v1/txt2img', { ...small, sampler_name: 'Nobody' })).toEqual({
      status: 404,
      body: {
        error: 'HTTPException',
        code: 404,
        detail: 'Sampler not found',
        body: '',
        errors: '404: Sampler not found',
      },
    });
    expect(await ask(server, '/sdapi/v1/img2img', small)).toEqual({
      status: 400,
      body: { error: 'Init image is none' },
    });
  });

  it('answers out of memory with 200 and no images', async () => {
    const server = await start('sdnext');
    server.nextFault('out-of-memory');
    expect(await ask(server, '/sdapi/v1/txt2img', small)).toMatchObject({
      status: 200,
      body: { images: [] },
    });
  });

  it('limits the rate after the work, so that the image is lost', async () => {
    const server = await start('sdnext');
    server.nextFault('rate-limited');
    expect((await ask(server, '/sdapi/v1/txt2img', small)).status).toBe(429);
    expect(server.stats().images).toBe(1);
  });

  it('has other fields, defaults and infotext', async () => {
    const server = await start('sdnext');
    const reply = await ask(server, '/sdapi/v1/txt2img', { prompt: 'a hand', seed: 7, scheduler: 'karras' });
    expect(reply.body.parameters).toMatchObject({
      steps: 20,
      width: 1024,
      cfg_scale: 6,
      sampler_name: 'Default',
    });
    expect(reply.body.parameters).not.toHaveProperty('scheduler');
    const info = JSON.parse(reply.body.info);
    expect(info).not.toHaveProperty('sd_model_name');
    expect(info.infotexts[0]).toMatch(
      /Steps: 20, Size: 1024x1024, Seed: 7, CFG scale: 6, App: SD.Next, Version: sketch/,
    );
    expect((await ask(server, '/sdapi/v1/version')).status).toBe(200);
    expect((await ask(server, '/sdapi/v1/progress')).body).toHaveProperty('id');
    expect((await ask(server, '/sdapi/v1/scripts')).body.txt2img).not.toContain('adetailer');
  });

  it('says of its options only what was changed, and the checkpoint', async () => {
    const server = await start('sdnext');
    const said = async () => Object.keys((await ask(server, '/sdapi/v1/options')).body);
    expect(await said()).toEqual(['sd_model_checkpoint']);
    const kept = { override_settings: { sd_vae: 'ink' }, override_settings_restore_afterwards: false };
    await ask(server, '/sdapi/v1/txt2img', { ...small, ...kept });
    expect((await said()).sort()).toEqual(['sd_model_checkpoint', 'sd_vae']);
    const { options } = (await ask(server, '/sdapi/v1/options-info')).body;
    expect(options.sd_vae).toEqual({ default: 'Automatic' });
  });

  it('breaks over its own list of schedulers', async () => {
    const server = await start('sdnext');
    expect(await ask(server, '/sdapi/v1/schedulers')).toMatchObject({
      status: 500,
      body: { error: 'ResponseValidationError', code: 500 },
    });
  });

  it('takes a file name with its ending for no checkpoint, silently', async () => {
    const server = await start('sdnext');
    const used = async (sd_model_checkpoint: string) => {
      const override_settings = { sd_model_checkpoint };
      const reply = await ask(server, '/sdapi/v1/txt2img', { ...small, override_settings });
      return /, Model: ([^,]+)/.exec(JSON.parse(reply.body.info).infotexts[0])?.[1];
    };
    expect(await used('sketch-hands-v2.safetensors')).toBe('sketch-hands-v1');
    expect(await used('sketch-hands-v2')).toBe('sketch-hands-v2');
  });

  it('makes a hires picture larger only in a mode, and then needs an upscaler', async () => {
    const server = await start('sdnext');
    const width = async (more: object) => {
      const reply = await ask(server, '/sdapi/v1/txt2img', {
        ...small,
        enable_hr: true,
        hr_scale: 2,
        ...more,
      });
      return reply.status === 200 ? imageOf(reply).readUInt32BE(16) : String(reply.body.error);
    };
    expect(await width({ hr_upscaler: 'Latent Bilinear' })).toBe(64);
    expect(await width({ hr_upscaler: 'Latent Bilinear', hr_resize_mode: 1 })).toBe(128);
    expect(await width({ hr_resize_mode: 1 })).toBe('AttributeError');
  });

  it('repairs hands with its own detailer', async () => {
    const server = await start('sdnext', { badRate: 1 });
    const repair = async (seed: number, model: string): Promise<string | undefined> => {
      const detailer = { detailer_enabled: true, detailer_models: [model] };
      const reply = await ask(server, '/sdapi/v1/txt2img', { ...small, ...detailer, seed });
      return readTruth(imageOf(reply))?.truth.anatomy;
    };
    const hands = await Promise.all(Array.from({ length: 12 }, (_, seed) => repair(seed, 'hand-yolo8n')));
    expect(hands.filter((anatomy) => anatomy === 'good').length).toBeGreaterThan(4);
    const faces = await Promise.all(Array.from({ length: 4 }, (_, seed) => repair(seed, 'face-yolo8n')));
    expect(faces).toEqual(['bad', 'bad', 'bad', 'bad']);
  });
});
