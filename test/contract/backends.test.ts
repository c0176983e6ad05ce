import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import {
  createBackend,
  type Backend,
  type BackendOptions,
  type GenerateJob,
} from '../../src/backends/index.js';
import { BackendError } from '../../src/errors.js';
import type { ImageRequest } from '../../src/loop/index.js';
import { startSketchServer, type SketchOptions, type SketchServer } from '../../src/sketch/index.js';

/** What the suite needs to know of a kind of backend. A new kind adds a row. */
interface Kind {
  name: string;
  options: (url: string) => BackendOptions;
  /** The sketch server that speaks to it. */
  sketch: Partial<SketchOptions>;
  /** A live server of somebody's, to be treated with care. */
  liveUrl?: string | undefined;
}

const quick = { pollMs: 20, stallMs: 1_500 };

const kinds: Kind[] = [
  {
    name: 'a1111',
    options: (url) => ({ kind: 'a1111', name: 'server', url, ...quick }),
    sketch: { protocol: 'a1111' },
    liveUrl: process.env['REROLL_TEST_A1111_URL'],
  },
];

const never = new AbortController().signal;

function request(changes: Partial<ImageRequest> = {}): ImageRequest {
  return {
    prompt: 'a hand, palm up',
    negative_prompt: 'blurry',
    seed: 42,
    width: 256,
    height: 256,
    steps: 4,
    cfg_scale: 6,
    ...changes,
  };
}

function job(changes: Partial<ImageRequest> = {}, more: Partial<GenerateJob> = {}): GenerateJob {
  return {
    request: request(changes),
    remoteId: randomUUID(),
    adopt: false,
    attempt: { run: 'contract-1', shot: 1, number: 1 },
    ...more,
  };
}

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function open(options: BackendOptions): Backend {
  const backend = createBackend(options);
  closers.push(() => backend.close());
  return backend;
}

async function failure(promise: Promise<unknown>): Promise<BackendError> {
  const error: unknown = await promise.then(
    () => new Error('nothing failed'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof BackendError)) throw error as Error;
  return error;
}

const started = (server: SketchServer) =>
  new Promise<string>((resolve) => {
    server.once('started', resolve);
  });

describe.each(kinds)('a backend of kind $name', (kind) => {
  const sketch = async (options: Partial<SketchOptions> = {}) => {
    const server = await startSketchServer({ ...kind.sketch, ...options });
    closers.push(() => server.close());
    return { server, backend: open(kind.options(server.url)) };
  };

  it('says what the server is', async () => {
    const { backend } = await sketch();
    const info = await backend.probe(never);
    expect(info.product).toContain('sketch');
    expect(info.checkpoint).toContain('sketch-hands-v1');
  });

  it('makes the image that was asked for: its size, its seed', async () => {
    const { backend } = await sketch();
    const made = await backend.generate(job({ width: 320, height: 192, seed: 4_294_967_295 }), never);
    expect(await sharp(made.image).metadata()).toMatchObject({ width: 320, height: 192 });
    expect(made).toMatchObject({ seed: 4_294_967_295, adopted: false });
    expect(JSON.stringify(made.sent)).toContain('palm up');
  });

  it('makes the same image for the same request, and another one for another seed', async () => {
    const { backend } = await sketch();
    const pixels = async (seed: number) =>
      sharp((await backend.generate(job({ seed }), never)).image)
        .raw()
        .toBuffer();
    const [first, again, other] = [await pixels(1), await pixels(1), await pixels(2)];
    expect(again.equals(first)).toBe(true);
    expect(other.equals(first)).toBe(false);
  });
});
