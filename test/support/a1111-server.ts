import sharp from 'sharp';
import { afterEach } from 'vitest';
import { createBackend, type A1111Options } from '../../src/backends/index.js';
import { sendJson, serve, type Answer } from './http-server.js';

/** A red picture of 64 x 64 in base64. */
export const png = await red(64);

export async function red(width: number): Promise<string> {
  const image = sharp({ create: { width, height: 64, channels: 3, background: 'red' } });
  return (await image.png().toBuffer()).toString('base64');
}

/** What the server says of its image. */
export function info(more: object = {}): string {
  const sampled = { sampler_name: 'Euler', sd_model_name: 'hands', sd_model_hash: 'abc1234567' };
  return JSON.stringify({ seed: 7, all_seeds: [7], ...sampled, width: 64, height: 64, ...more });
}

/** What it says of a task, which is not there unless `more` says so. */
export function task(more: object = {}) {
  return { active: false, queued: false, completed: false, progress: null, live_preview: null, ...more };
}

/** What it says of itself. */
export const idle = { progress: 0, state: { job_count: 0, job_timestamp: '1' } };
export const busy = { progress: 0.5, state: { job_count: 1, job_timestamp: '1' } };

export const fails =
  (status: number, body: unknown): Answer =>
  (response) =>
    sendJson(response, body, status);

const modern = ['/internal/progress', '/sdapi/v1/schedulers'];

const closers: (() => Promise<unknown>)[] = [];

/** Closes what `openA1111` has opened, after each test of the file that calls this. */
export function closeAfterEach(): (close: () => Promise<unknown>) => void {
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  return (close) => closers.push(close);
}

/** A backend before a server that answers as A1111 does, but for what the test says. */
export async function openA1111(
  answers: Record<string, Answer> = {},
  paths: string[] = modern,
  options: Partial<A1111Options> = {},
) {
  const server = await serve({
    '/openapi.json': { paths: Object.fromEntries(paths.map((path) => [path, {}])) },
    '/sdapi/v1/options': {
      sd_model_checkpoint: 'hands.safetensors [abc1234567]',
      CLIP_stop_at_last_layers: 1,
      eta_noise_seed_delta: 0,
    },
    '/sdapi/v1/progress': idle,
    '/internal/progress': task(),
    '/sdapi/v1/txt2img': { images: [png], info: info() },
    '/sdapi/v1/img2img': { images: [png], info: info() },
    '/sdapi/v1/interrupt': {},
    '/sdapi/v1/samplers': [
      { name: 'Euler', aliases: ['k_euler'] },
      { name: 'DPM++ 2M', aliases: ['k_dpmpp_2m'] },
    ],
    '/sdapi/v1/schedulers': [{ name: 'karras', label: 'Karras' }],
    '/sdapi/v1/sd-models': [
      {
        title: 'art/hands.safetensors [abc1234567]',
        model_name: 'art_hands',
        hash: 'abc1234567',
        sha256: 'abc1234567ff',
        filename: '/models/art/hands.safetensors',
      },
    ],
    '/sdapi/v1/sd-vae': [{ model_name: 'ink.vae.safetensors', filename: '/models/VAE/ink.vae.safetensors' }],
    '/sdapi/v1/upscalers': [{ name: 'R-ESRGAN 4x+' }],
    '/sdapi/v1/latent-upscale-modes': [{ name: 'Latent' }],
    '/sdapi/v1/scripts': { txt2img: ['adetailer', 'controlnet'], img2img: ['adetailer'] },
    '/adetailer/v1/ad_model': { ad_model: ['hand_yolov8n.pt', 'face_yolov8n.pt'] },
    ...answers,
  });
  const backend = createBackend({
    kind: 'a1111',
    name: 'forge',
    url: server.url,
    pollMs: 10,
    stallMs: 300,
    ...options,
  });
  closers.push(
    () => server.close(),
    () => backend.close(),
  );
  const sent = (path: string) => server.seen.filter((one) => one.path === path);
  return { server, backend, sent };
}
