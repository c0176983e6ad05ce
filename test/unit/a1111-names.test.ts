import { randomUUID } from 'node:crypto';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { findCheckpoint } from '../../src/backends/a1111/checks.js';
import { createBackend } from '../../src/backends/index.js';
import type { ImageRequest } from '../../src/loop/index.js';
import { serve } from '../support/http-server.js';

const signal = new AbortController().signal;
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const loaded = {
  title: 'art/hands.safetensors [abc1234567]',
  model_name: 'art_hands',
  hash: 'abc1234567',
  sha256: 'abc1234567ff',
  filename: '/models/art/hands.safetensors',
};
/** A file of the same name elsewhere, whose hash the server does not know yet. */
const other = {
  title: 'old/hands.safetensors',
  model_name: 'old_hands',
  filename: '/models/old/hands.safetensors',
};

describe('a name of a checkpoint', () => {
  it.each([
    ['art/hands.safetensors [abc1234567]', loaded],
    ['old/hands.safetensors', other],
    ['old/hands.safetensors [0123456789]', other],
    ['old\\hands.safetensors', other],
    ['old_hands', other],
    ['/models/old/hands.safetensors', other],
    ['abc1234567ff', loaded],
    ['hands', loaded],
    ['Hands.safetensors', loaded],
    ['hands.safetensors [abc1234567]', loaded],
    // Another file of that name: what is known of the first says so, and of the second nothing is known.
    ['hands.safetensors [0123456789]', other],
    ['art/hands.safetensors [12345678]', loaded], // a hash as it was made years ago says nothing
    ['feet', undefined],
  ])('%s', (asked, found) => {
    expect(findCheckpoint(asked, [loaded, other])).toBe(found);
  });

  it('with the hash of another file means none', () => {
    expect(findCheckpoint('art/hands.safetensors [0123456789]', [loaded])).toBeUndefined();
  });
});

describe('a server that drops what it knows by another name', () => {
  const setup = async (answers: { vae?: string | null; model?: string } = {}) => {
    const { vae = 'ink.vae.safetensors', model = 'hands' } = answers;
    const image = sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } });
    const png = (await image.png().toBuffer()).toString('base64');
    const info = JSON.stringify({ seed: 7, all_seeds: [7], sd_model_name: model, sd_vae_name: vae });
    const server = await serve({
      '/openapi.json': { paths: { '/internal/progress': {} } },
      '/sdapi/v1/options': { sd_model_checkpoint: loaded.title, sd_vae: 'Automatic' },
      '/sdapi/v1/progress': { progress: 0, state: { job_count: 0 } },
      '/internal/progress': { active: false, queued: false, completed: false },
      '/sdapi/v1/txt2img': { images: [png], info },
      '/sdapi/v1/sd-models': [loaded, other],
      '/sdapi/v1/sd-vae': [
        { model_name: 'ink.vae.safetensors', filename: '/models/VAE/ink.vae.safetensors' },
      ],
      '/sdapi/v1/samplers': [],
      '/sdapi/v1/schedulers': [],
    });
    const backend = createBackend({ kind: 'a1111', name: 'webui', url: server.url, pollMs: 10 });
    closers.push(
      () => server.close(),
      () => backend.close(),
    );
    const make = async (changes: Partial<ImageRequest>) => {
      const request = { prompt: 'a hand', negative_prompt: '', seed: 7, width: 64, height: 64, steps: 4 };
      await backend.generate(
        {
          request: { ...request, cfg_scale: 6, ...changes },
          remoteId: randomUUID(),
          adopt: false,
          attempt: { run: 'r-1', shot: 1, number: 1 },
        },
        signal,
      );
      const [sent] = server.seen.filter(({ path }) => path === '/sdapi/v1/txt2img');
      return (sent?.body as { override_settings: unknown }).override_settings;
    };
    return { make };
  };

  it('is asked for a checkpoint by its title', async () => {
    const { make } = await setup();
    expect(await make({ checkpoint: 'Old/HANDS.safetensors [0123456789]' })).toEqual({
      sd_model_checkpoint: other.title,
    });
  });

  it('is asked for a VAE by its full name', async () => {
    const { make } = await setup();
    expect(await make({ vae: 'ink.vae' })).toEqual({ sd_vae: 'ink.vae.safetensors' });
  });

  it('and makes the image without the VAE is found out', async () => {
    const { make } = await setup({ vae: null });
    await expect(make({ vae: 'ink.vae' })).rejects.toThrow(/VAE ink.vae.safetensors .* none was used/);
  });
});
