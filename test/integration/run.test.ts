import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { faultsOf, readTruth, startSketchServer, type SketchServer } from '../../sketch/index.js';
import { runPipeline } from '../support/run.js';
import { writeTinyModel } from '../support/tiny-model.js';

let dir: string;
let servers: SketchServer[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reroll-run-'));
  // Judges by colour, and so rejects about half of all drawings, the same ones each time.
  await writeTinyModel(join(dir, 'model'), {
    weights: [
      [30, -30, 0, 0],
      [-60, 60, 0, 0],
      [30, -30, 0, 0],
    ],
  });
  servers = [];
});

afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await rm(dir, { recursive: true, force: true });
});

async function startServers(count: number, options: Parameters<typeof startSketchServer>[0] = {}) {
  servers = await Promise.all(
    Array.from({ length: count }, () => startSketchServer({ latencyMs: 5, badRate: 0.5, ...options })),
  );
}

const pipeline = (changes: object = {}) => ({
  name: 'test',
  seed: 9,
  backends: servers.map(({ url }, place) => ({
    name: `s${place}`,
    kind: 'a1111',
    url,
    slots: 2,
    stall: '1s',
  })),
  generate: { width: 64, height: 64, steps: 4 },
  prompts: [{ text: 'a {soft|hard} hand', count: 12 }],
  gate: { model: './model' },
  retry: { attempts: 3, ladder: ['new_seed', { adjust: { cfg_scale: '+1' } }] },
  output: { dir: 'out', filename: '{{prompt}}-{{shot}}-{{seed}}', keep_rejected: true },
  ...changes,
});

const run = (config: object, name = 'a') => runPipeline(dir, config, { name });

describe('a run', () => {
  it.each(['{{prompt}}-{{shot}}-{{checkpoint}}', '{{prompt}}/{{shot}}'])(
    "gives every shot a file of its own, also where names run into each other or into the run's own: %s",
    async (filename) => {
      await startServers(2, { checkpoints: ['x', '2-x'] });
      const named = (name: string, checkpoint = 'x') => ({ name, text: 'a hand', checkpoint });
      const config = pipeline({
        prompts: [
          named('a', '2-x'),
          named('A-1'),
          ...['manifest.jsonl', 'REPORT.html', 'review', 'Rejected'].map((name) => named(name)),
        ],
        retry: { attempts: 3, on_exhausted: 'keep_best' },
        output: { dir: 'out', filename, keep_rejected: true },
      });
      const { summary, manifest, shots } = await run(config);
      expect(summary).toMatchObject({ state: 'completed', shots: 6, failed: 0 });
      expect(new Set(manifest.map(({ published }) => published!.toLowerCase())).size).toBe(6);
      for (const [place, { published }] of manifest.entries()) {
        const { kept, attempts } = shots[place]!;
        const bytes = await readFile(join(summary.outputDir, published!));
        expect(readTruth(bytes)?.seed).toBe(attempts[kept! - 1]!.candidate!.seed);
      }
    },
  );

  it('ends every shot, and publishes the image of the very attempt that was accepted, under a name that sorts', async () => {
    await startServers(2);
    const output = { dir: 'out', filename: '{{shot}}-{{slug}}' };
    const { summary, manifest } = await run(
      pipeline({ output, retry: { attempts: 3, on_exhausted: 'keep_best' } }),
    );
    const names = manifest.map(({ published }) => published!);
    expect(names).toEqual([...names].sort());
    expect(names[2]).toMatch(/^03-a-(soft|hard)-hand\.png$/);
    expect(summary).toMatchObject({ state: 'completed', shots: 12, failed: 0, cancelled: 0 });
    expect(summary.accepted + summary.exhausted).toBe(12);
    expect(summary.attempts).toBeGreaterThan(12);
    for (const line of manifest) {
      const kept = line.attempts.find(({ decision }) => decision === 'accept');
      if (line.outcome !== 'accepted') continue;
      const bytes = await readFile(join(summary.outputDir, line.published!));
      expect(readTruth(bytes)?.seed).toBe(kept!.seed);
    }
  });

  it('is the same run again with the same seed', async () => {
    await startServers(2);
    const first = await run(pipeline(), 'a');
    const second = await run(pipeline(), 'b');
    expect(second.manifest).toEqual(first.manifest);
  });

  it("keeps to the run's budget and shares it out the same each time", async () => {
    await startServers(2);
    const tight = pipeline({ retry: { ...pipeline().retry, attempts: 5, run_attempts: 17 } });
    const first = await run(tight, 'a');
    const second = await run(tight, 'b');
    expect(first.summary.attempts).toBe(17);
    expect(second.manifest).toEqual(first.manifest);
  });

  it('never has more requests at a server than its slots', async () => {
    await startServers(2);
    await run(pipeline({ prompts: [{ text: 'a hand', count: 60 }] }));
    expect(Math.max(...servers.map((server) => server.stats().maxHeld))).toBe(2);
  });

  it('fails at once what no server can ever do, in words that say what is missing', async () => {
    await startServers(1);
    const prompts = [
      { text: 'a hand', count: 2 },
      { text: 'a hand', checkpoint: 'nowhere.safetensors' },
    ];
    const { summary, manifest } = await run(pipeline({ prompts }));
    expect(summary.failed).toBe(1);
    expect(manifest[2]).toMatchObject({ outcome: 'failed' });
    expect(manifest[2]!.reason).toMatch(/s0: no checkpoint "nowhere\.safetensors"/);
  });

  it('fails a prompt with a misspelt sampler alone, and no other of its lane', async () => {
    await startServers(1);
    const prompts = [
      { text: 'a hand', sampler: 'Eulr b' },
      { text: 'a hand', count: 3 },
    ];
    const { summary, manifest } = await run(pipeline({ prompts }));
    expect(summary).toMatchObject({ failed: 1, shots: 4 });
    expect(manifest[0]!.reason).toMatch(/s0: has no sampler "Eulr b" \(nearest: /);
  });

  it('sends a tagged prompt only to servers with its tags', async () => {
    await startServers(2);
    const config = pipeline({ prompts: [{ text: 'a hand', count: 6, tags: ['big'] }] });
    config.backends = config.backends.map((backend, place) => ({
      ...backend,
      tags: place === 1 ? ['big'] : [],
    }));
    const { summary } = await run(config);
    expect(summary.accepted + summary.exhausted).toBe(6);
    expect(servers[0]!.stats().requests).toBe(0);
  });

  it('keeps the rejected where the pipeline wants them, and removes what is no longer needed', async () => {
    await startServers(1);
    const { summary } = await run(pipeline());
    const rejected = await readdir(join(summary.outputDir, 'rejected'), { recursive: true });
    expect(rejected.filter((name) => name.endsWith('.png'))).toHaveLength(
      summary.attempts - summary.accepted,
    );
    expect(await readdir(join(dir, 'home-a', 'candidates'))).toEqual([]);
  });
});

/** Every way of failing that a server gets over. */
const faults = faultsOf.a1111.filter((fault) => !['substituted', 'poisoned', 'stuck'].includes(fault));

describe('two lanes and one server', () => {
  it('begin with the one whose checkpoint is loaded, by whatever name', async () => {
    await startServers(1);
    const prompts = [
      { text: 'a hand', checkpoint: 'sketch-hands-v2', count: 4 },
      // What a sketch server has loaded when it starts; more is due of the other.
      { text: 'a hand', checkpoint: 'sketch-hands-v1', count: 2 },
    ];
    const { events } = await run(pipeline({ prompts }));
    const first = events.find(({ type }) => type === 'generating');
    expect(first).toMatchObject({ key: { shot: 5 } });
  });

  it('are both worked off, even if jobs of the first are put off when the second takes its turn', async () => {
    await startServers(1);
    const [first, second] = ['sketch-hands-v1.safetensors', 'sketch-hands-v2.safetensors'];
    const prompts = [
      { text: 'a hand', checkpoint: first, count: 4 },
      { text: 'a hand', checkpoint: second, count: 4 },
    ];
    // The first lane's jobs fail: they come back only after a delay.
    for (let time = 0; time < 4; time++) servers[0]!.nextFault('error');
    const { summary } = await run(pipeline({ prompts, retry: { ...pipeline().retry, attempts: 1 } }));
    expect(summary.accepted + summary.exhausted).toBe(8);
  });
});

/** Not a share of all requests: an unlucky attempt would meet it again and again, and wait longer each time. */
const times = 3;

describe('servers that fail their first requests', () => {
  it.each(faults)('costs no attempt: %s', async (fault) => {
    await startServers(2);
    // A server says that an image was interrupted until its next one begins, which two slots have waiting there.
    const slots = fault === 'interrupted' ? 1 : 2;
    const few = {
      backends: pipeline().backends.map((backend) => ({ ...backend, slots })),
      prompts: [{ text: 'a hand', count: 5 }],
      retry: { ...pipeline().retry, attempts: 2 },
    };
    const undisturbed = await run(pipeline(few), 'a');
    for (let time = 0; time < times; time++) servers.forEach((server) => server.nextFault(fault));
    const disturbed = await run(pipeline(few), 'b');
    expect(disturbed.events.some(({ type }) => type === 'server-error') || fault === 'slow').toBe(true);
    expect(disturbed.manifest).toEqual(undisturbed.manifest);
  });
});
