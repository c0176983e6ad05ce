import { randomUUID } from 'node:crypto';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import {
  createBackend,
  type Backend,
  type BackendOptions,
  type GenerateJob,
} from '../../src/backends/index.js';
import { BackendError, type Fault } from '../../src/errors.js';
import type { BackendKind, ImageRequest } from '../../src/loop/index.js';
import {
  startSketchServer,
  type Fault as SketchFault,
  type SketchEvents,
  type SketchOptions,
  type SketchServer,
} from '../../sketch/index.js';

/** What the suite needs to know of a kind of backend. A new kind adds a row. */
interface Kind {
  name: string;
  options: (url: string) => BackendOptions;
  /** The sketch server that speaks to it. */
  sketch: Partial<SketchOptions>;
  /** Names that such a server has, each with a misspelled one. */
  names: { checkpoint: [string, string]; sampler: [string, string] };
  /** Whether the protocol has passwords. */
  auth: boolean;
  /** What a fault of the server must become; `fine`: no fault at all in this room. */
  faults: Partial<Record<SketchFault, Fault | 'fine'>>;
  /** Whether a job that another process sent can be taken over. */
  adopts: boolean;
  /** Whether the server tells whose job it is at: without that, none can be stopped. */
  tellsJobs: boolean;
  /** Whether the server says which checkpoint is loaded. */
  tellsCheckpoint: boolean;
  /** A live server of somebody's, to be treated with care. */
  liveUrl?: string | undefined;
}

/** A server that stands still for so long is given up, in these tests. */
const quick = { pollMs: 20, stallMs: 1_500 };
/** A live server: SD.Next takes 300 questions a minute, and refuses the others. */
const gentle = { pollMs: 1_000, stallMs: 600_000 };

const a1111: Kind = {
  name: 'a1111',
  options: (url) => ({ kind: 'a1111', name: 'server', url, ...quick }),
  sketch: { protocol: 'a1111' },
  names: {
    checkpoint: ['sketch-hands-v2.safetensors', 'sketch-hand-v2'],
    sampler: ['DPM++ 2M', 'DPM+ 2M'],
  },
  auth: true,
  faults: {
    slow: 'fine',
    hang: 'transient',
    error: 'transient',
    'out-of-memory': 'transient',
    // Whether the bytes are a good picture is looked at by src/images.
    truncated: 'fine',
    black: 'fine',
    grey: 'fine',
    stuck: 'fine',
    html: 'transient',
    disconnect: 'transient',
    interrupted: 'transient',
    'rate-limited': 'transient',
    substituted: 'request',
  },
  adopts: false,
  tellsJobs: true,
  tellsCheckpoint: true,
  liveUrl: process.env['REROLL_TEST_A1111_URL'],
};

const comfyui: Kind = {
  name: 'comfyui',
  options: (url) => ({ kind: 'comfyui', name: 'server', url, ...quick }),
  sketch: { protocol: 'comfyui' },
  names: {
    checkpoint: ['sketch-hands-v2.safetensors', 'sketch-hand-v2'],
    sampler: ['dpmpp_2m', 'dpmp_2m'],
  },
  auth: true,
  faults: {
    slow: 'fine',
    hang: 'transient',
    error: 'transient',
    'out-of-memory': 'transient',
    truncated: 'fine',
    black: 'fine',
    html: 'transient',
    // The answer alone is lost: the prompt is found by its id.
    disconnect: 'fine',
    interrupted: 'transient',
    'rate-limited': 'transient',
    lost: 'transient',
    zombie: 'transient',
    'mute-socket': 'fine',
    'garbage-socket': 'fine',
    'execution-error': 'transient',
  },
  adopts: true,
  tellsJobs: true,
  tellsCheckpoint: false,
  liveUrl: process.env['REROLL_TEST_COMFYUI_URL'],
};

/** The same protocol from another member of the family. */
const flavour = (name: NonNullable<SketchOptions['flavour']>, changes: Partial<Kind> = {}): Kind => ({
  ...a1111,
  name: `a1111 (${name})`,
  sketch: { ...a1111.sketch, flavour: name },
  liveUrl: undefined,
  ...changes,
});

const kinds: Record<BackendKind, Kind[]> = {
  a1111: [a1111, flavour('forge'), flavour('reforge'), flavour('sdnext', { tellsJobs: false })],
  comfyui: [comfyui],
};

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
  expect(error).toBeInstanceOf(BackendError);
  return error as BackendError;
}

/** The next generation that `server` begins or ends. */
const next = (server: SketchServer, event: keyof SketchEvents) =>
  new Promise<string>((resolve) => {
    server.once(event, resolve);
  });

const pixels = async (image: Buffer) => sharp(image).raw().toBuffer();

describe.each(Object.values(kinds).flat())('a backend of kind $name', (kind) => {
  const sketch = async (options: Partial<SketchOptions> = {}) => {
    const server = await startSketchServer({ ...kind.sketch, ...options });
    closers.push(() => server.close());
    return { server, backend: open(kind.options(server.url)) };
  };

  it('says what the server is', async () => {
    const { backend } = await sketch();
    const info = await backend.probe(never);
    expect(info.product).toContain('sketch');
    if (kind.tellsCheckpoint) expect(info.checkpoint).toContain('sketch-hands-v1');
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
    const make = async (seed: number) => pixels((await backend.generate(job({ seed }), never)).image);
    const [first, again, other] = [await make(1), await make(1), await make(2)];
    expect(again.equals(first)).toBe(true);
    expect(other.equals(first)).toBe(false);
  });

  it('makes it with the checkpoint that was asked for', async () => {
    const { backend } = await sketch();
    const made = await backend.generate(job({ checkpoint: kind.names.checkpoint[0] }), never);
    expect(JSON.stringify(made.sent)).toContain('sketch-hands-v2');
    if (kind.tellsCheckpoint) expect(made.server.checkpoint).toContain('sketch-hands-v2');
  });

  it('finds it by its bare name too: one pipeline serves servers of every kind', async () => {
    const { backend } = await sketch();
    const bare = { checkpoint: 'Sketch-Hands-V2' };
    expect(await backend.missing(request(bare), never)).toEqual([]);
    expect(JSON.stringify((await backend.generate(job(bare), never)).sent)).toContain('sketch-hands-v2');
  });

  it('lacks nothing for a request that names nothing special, or what the server has', async () => {
    const { backend } = await sketch();
    const { checkpoint, sampler } = kind.names;
    expect(await backend.missing(request(), never)).toEqual([]);
    expect(await backend.missing(request({ checkpoint: checkpoint[0], sampler: sampler[0] }), never)).toEqual(
      [],
    );
  });

  it('says which checkpoint and sampler the server lacks, and what it has that looks alike', async () => {
    const { backend } = await sketch();
    const { checkpoint, sampler } = kind.names;
    const lacks = await backend.missing(request({ checkpoint: checkpoint[1], sampler: sampler[1] }), never);
    expect(lacks).toMatchObject([
      { what: 'checkpoint', asked: checkpoint[1] },
      { what: 'sampler', asked: sampler[1] },
    ]);
    expect(lacks[0]?.near[0]).toContain('sketch-hands-v2');
    expect(lacks[1]?.near).toContain(sampler[0]);
  });

  it('tells the progress while it works, which never goes back', async () => {
    const { backend } = await sketch({ latencyMs: 600 });
    const shares: number[] = [];
    await backend.generate(job({ steps: 30 }, { onProgress: ({ share }) => shares.push(share) }), never);
    expect(shares.length).toBeGreaterThan(1);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
  });

  it.runIf(kind.tellsJobs)('cancels the job that runs, and not the one behind it', async () => {
    const { server, backend } = await sketch({ latencyMs: 1_200 });
    await backend.probe(never);
    const [first, second] = [job({ seed: 1 }), job({ seed: 2 })];
    const begun = next(server, 'started');
    const doomed = failure(backend.generate(first, never));
    await begun;
    const kept = backend.generate(second, never);
    await backend.cancel(first.remoteId, never);
    const [error, made] = await Promise.all([doomed, kept]);
    expect(error.fault).toBe('transient');
    expect(made.seed).toBe(2);
  });

  it.runIf(kind.tellsJobs)('cancels the job that waits, and not the one that runs', async () => {
    const { server, backend } = await sketch({ latencyMs: 1_200 });
    await backend.probe(never);
    const [first, second] = [job({ seed: 1 }), job({ seed: 2 })];
    const begun = next(server, 'started');
    const kept = backend.generate(first, never);
    await begun;
    const queued = next(server, 'queued');
    const doomed = failure(backend.generate(second, never));
    await queued;
    const [error, made] = await Promise.all([doomed, kept, backend.cancel(second.remoteId, never)]);
    expect(error.fault).toBe('transient');
    expect(made.seed).toBe(1);
  });

  it('cancelling what is not there is no error, and stops nobody', async () => {
    const { server, backend } = await sketch({ latencyMs: 400 });
    const begun = next(server, 'started');
    const kept = backend.generate(job(), never);
    await begun;
    await backend.cancel(randomUUID(), never);
    expect(await kept).toMatchObject({ seed: 42 });
  });

  it('an abort ends the wait with its own reason, and the work on the server', async () => {
    const { server, backend } = await sketch({ latencyMs: 20_000 });
    await backend.probe(never);
    const control = new AbortController();
    const [begun, ended] = [next(server, 'started'), next(server, 'finished')];
    const work = backend.generate(job(), control.signal);
    await begun;
    control.abort(new Error('enough'));
    await expect(work).rejects.toThrow('enough');
    if (!kind.tellsJobs) return; // nobody else's job is risked: this one runs to its end
    await ended;
    expect(server.stats().busyMs).toBeLessThan(15_000);
  });

  it.each(Object.entries(kind.faults))('a server that does "%s" is a %s fault', async (fault, expected) => {
    const { server, backend } = await sketch({ latencyMs: 50 });
    await backend.probe(never);
    server.nextFault(fault as SketchFault);
    const { checkpoint, sampler } = kind.names;
    const work = backend.generate(job({ checkpoint: checkpoint[0], sampler: sampler[0] }), never);
    if (expected === 'fine') expect(await work).toMatchObject({ seed: 42 });
    else expect(await failure(work)).toMatchObject({ fault: expected, unreachable: false });
    // And the server is as good as before.
    expect(await backend.generate(job({ seed: 7 }), never)).toMatchObject({ seed: 7 });
  });

  it('a server that is not there never began the work', async () => {
    const { server, backend } = await sketch();
    await backend.probe(never);
    await server.close();
    expect(await failure(backend.generate(job(), never))).toMatchObject({
      fault: 'transient',
      unreachable: true,
    });
    expect(await failure(backend.probe(never))).toMatchObject({ fault: 'transient', unreachable: true });
    await server.restart();
    expect(await backend.generate(job(), never)).toMatchObject({ seed: 42 });
  });

  it.runIf(kind.auth)('a wrong password makes the whole server unusable, and says what to do', async () => {
    const { server } = await sketch({ auth: 'me:right-one' });
    const url = server.url;
    const wrong = await failure(open({ ...kind.options(url), auth: 'me:wrong-one' }).probe(never));
    expect(wrong.fault).toBe('backend');
    expect(wrong.message).toMatch(/password/);
    expect(wrong.message).not.toMatch(/wrong-one/);
    expect((await failure(open(kind.options(url)).generate(job(), never))).fault).toBe('backend');
    const right = open({ ...kind.options(url), auth: 'me:right-one' });
    expect(await right.generate(job(), never)).toMatchObject({ seed: 42 });
  });

  it.runIf(kind.tellsJobs)(
    'a job that a dead process left behind is taken over, or stopped before it is done again',
    async () => {
      const { server } = await sketch({ latencyMs: 1_000 });
      const patient = { ...kind.options(server.url), stallMs: 60_000 };
      const backend = open(patient);
      await backend.probe(never);
      const left = job();
      const begun = next(server, 'started');
      server.nextFault('slow'); // five seconds
      const dead = backend.generate(left, never).catch(() => undefined);
      await begun;
      // ComfyUI tells the steps of a job only to who sent it: the heir hears nothing until the end.
      const heir = open({ ...kind.options(server.url), stallMs: 20_000 });
      const made = await heir.generate({ ...left, adopt: true }, never);
      await dead;
      expect(made).toMatchObject({ seed: 42, adopted: kind.adopts });
      if (!kind.adopts) expect(server.stats().busyMs).toBeLessThan(5_000);
      else expect(server.stats().images).toBe(1);
    },
  );
});

describe.each(
  Object.values(kinds)
    .flat()
    .filter(({ liveUrl }) => liveUrl),
)('the live server of kind $name', (kind) => {
  it('is what it should be, and makes what is asked for', { timeout: 600_000 }, async () => {
    const backend = open({ ...kind.options(kind.liveUrl ?? ''), ...gentle });
    const info = await backend.probe(never);
    console.log(info);
    expect(await backend.missing(request(), never)).toEqual([]);
    const make = async () => backend.generate(job(), never);
    const [first, again] = [await make(), await make()];
    expect(await sharp(first.image).metadata()).toMatchObject({ width: 256, height: 256 });
    expect(first.seed).toBe(42);
    expect((await pixels(again.image)).equals(await pixels(first.image))).toBe(true);
  });

  it('stops what it does when it is told to', { timeout: 600_000 }, async () => {
    const backend = open({ ...kind.options(kind.liveUrl ?? ''), ...gentle });
    const control = new AbortController();
    const onProgress = () => control.abort(new Error('enough'));
    await expect(backend.generate(job({ steps: 50 }, { onProgress }), control.signal)).rejects.toThrow(
      'enough',
    );
    expect(await backend.generate(job(), never)).toMatchObject({ seed: 42 });
  });
});
