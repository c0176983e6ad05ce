import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { ShotRecord } from '../../src/ledger/index.js';
import { seedFor } from '../../src/loop/index.js';
import { loadPipeline } from '../../src/pipeline/index.js';
import { RemoteService } from '../../src/runtime/remote-service.js';
import {
  holderOf,
  LocalService,
  newRun,
  openState,
  RunHere,
  serveControl,
  type RunEvent,
  type State,
} from '../../src/runtime/index.js';
import { readTruth, startSketchServer, type SketchServer } from '../../sketch/index.js';
import { freshHome } from '../support/home.js';
import { testPicture } from '../support/pictures.js';
import { writeTinyModel } from '../support/tiny-model.js';
import { withoutTimesAndServers } from '../support/workspace.js';

let dir: string;
let server: SketchServer;
let state: State;
let here: RunHere;
let service: LocalService;

/** Each label is as probable as any: what a threshold of 0.4 rejects, one of 0.99 accepts. */
const lenient = 'gate.reject=[{labels: ["*Bad_Anatomy"], threshold: 0.99}]';
const all = { which: 'failed or exhausted' as const, set: [], cwd: '/', env: {} };

async function open(home = 'home') {
  state = await openState(join(dir, home), {});
  here = new RunHere(state);
  service = new LocalService(state, here);
}

async function close() {
  await here.stop({ force: true });
  await state.close();
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reroll-retry-'));
  server = await startSketchServer({ latencyMs: 1, badRate: 0, checkpoints: ['one'] });
  await writeTinyModel(join(dir, 'model'), { weights: [1, 2, 3].map(() => [0, 0, 0, 0]) });
  await freshHome(join(dir, 'home'));
  await open();
});

afterAll(async () => {
  await close();
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

const config = (changes: object = {}) => ({
  name: 'again',
  seed: 3,
  backends: [{ name: 'gpu', kind: 'a1111', url: server.url }],
  generate: { width: 64, height: 64, steps: 4 },
  prompts: [{ text: 'a hand', count: 3 }],
  gate: { model: './model', reject: [{ labels: ['*Bad_Anatomy'], threshold: 0.4 }] },
  retry: { attempts: 2, ladder: [{ adjust: { steps: '+2' } }], on_exhausted: 'keep_best' },
  output: { dir: 'out' },
  ...changes,
});

/** A run, worked off. */
async function finished(changes: object = {}): Promise<string> {
  await writeFile(join(dir, 'again.yaml'), stringify(config(changes)));
  const pipeline = await loadPipeline(join(dir, 'again.yaml'), { env: {} });
  const { id } = await here.take(newRun(state, pipeline), { env: {}, signal: new AbortController().signal });
  await here.ended(id);
  return id;
}

async function retried(request: Partial<Parameters<LocalService['retry']>[0]>) {
  const { run } = await service.retry({ ...all, ...request });
  return here.ended(run);
}

async function shotsOf(run: string): Promise<ShotRecord[]> {
  const shots = [];
  for await (const shot of state.ledger.shots(run)) shots.push(shot);
  return shots;
}

const manifestOf = async (run: string, out = 'out') =>
  (await readFile(join(dir, out, run, 'manifest.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => withoutTimesAndServers(JSON.parse(line)) as { attempts: unknown[]; kept?: number });

const seedsOf = ({ attempts }: ShotRecord) =>
  attempts.map(({ request, candidate }) => candidate?.seed ?? request.seed);

describe('a retry', () => {
  it('has nothing to do where no run is over', async () => {
    await expect(service.retry(all)).rejects.toThrow(/no run in .* is over/);
  });

  it('gives exhausted shots more attempts, numbered on, the ladder from its start, no seed twice', async () => {
    const run = await finished();
    const before = await shotsOf(run);
    const lines = await manifestOf(run);
    expect(
      await retried({
        run,
        attempts: 3,
        shots: [
          [1, 1],
          [3, 3],
        ],
      }),
    ).toMatchObject({
      state: 'completed',
      exhausted: 3,
      attempts: 12,
    });
    const [first, second, third] = await shotsOf(run);
    expect(second).toEqual(before[1]);
    for (const [place, shot] of [
      [0, first!],
      [2, third!],
    ] as const) {
      expect(shot.attempts.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
      expect(shot.attempts.slice(0, 2)).toEqual(before[place]!.attempts);
      expect(shot.attempts.map(({ request }) => request.steps)).toEqual([4, 6, 4, 6, 8]);
      const fresh = seedFor(3, place + 1, 3);
      expect(seedsOf(shot).slice(2)).toEqual([fresh, fresh, fresh]);
      expect(seedsOf(shot).slice(0, 2)).not.toContain(fresh);
      // All are as good: the earliest is, and stays, the best.
      expect(shot).toMatchObject({ kept: before[place]!.kept, published: before[place]!.published });
    }
    const after = await manifestOf(run);
    expect(after.map(({ attempts }) => attempts.length)).toEqual([5, 2, 5]);
    expect(after[0]!.attempts.slice(0, 2)).toEqual(lines[0]!.attempts);
    expect(await state.ledger.progress(run)).toMatchObject({ due: 0, generated: 0, exhausted: 3 });
  });

  it('goes by a changed gate from here on, and says so', async () => {
    const run = await finished();
    const before = await shotsOf(run);
    const told: RunEvent[] = [];
    state.events.listen((event) => told.push(event));
    expect(await retried({ set: [lenient] })).toMatchObject({ run, accepted: 3, exhausted: 0, attempts: 9 });
    for (const shot of await shotsOf(run)) {
      expect(shot).toMatchObject({ outcome: 'accepted', kept: 3 });
      expect(shot.attempts.map(({ verdict }) => verdict?.decision)).toEqual(['reject', 'reject', 'accept']);
      await readFile(join(dir, 'out', run, shot.published!));
      // What was published until then has made room, and is not lost.
      const { published, kept } = before[shot.index - 1]!;
      await readFile(join(dir, 'out', run, 'rejected', String(kept), published!));
      await expect(readFile(join(dir, 'out', run, published!))).rejects.toThrow('ENOENT');
    }
    expect(told).toContainEqual({ type: 'retried', run, shots: 3, attempts: 2, changed: [lenient] });
    await expect(service.retry({ ...all, run })).rejects.toThrow('nothing to try again');
  });

  it('asks for failed shots again once the cause is mended, also through the process that holds the folder', async () => {
    const run = await finished({
      prompts: [{ text: 'a hand', checkpoint: 'two', count: 2 }, { text: 'a fist' }],
    });
    expect(await state.ledger.progress(run)).toMatchObject({ failed: 2, exhausted: 1 });
    const control = await serveControl(state, service);
    const mended = await startSketchServer({ latencyMs: 1, badRate: 0, checkpoints: ['one', 'two'] });
    const holder = await holderOf(join(dir, 'home'));
    expect(holder).toBeInstanceOf(RemoteService);
    const set = [`backends.0.url=${mended.url}`, lenient];
    await holder!.retry({ ...all, which: 'failed', set });
    expect(await holder!.summary(run)).toMatchObject({ accepted: 2, failed: 0, exhausted: 1 });
    const [first] = await shotsOf(run);
    expect(first!.attempts.map(({ state: was }) => was)).toEqual(['dropped', 'judged']);
    expect(new Set(seedsOf(first!)).size).toBe(2);
    await control.close();
    await mended.close();
  });

  it('uses the files that were recorded, and keeps those that a changed ladder names', async () => {
    const picture = await testPicture(64, 64).png().toBuffer();
    await writeFile(join(dir, 'start.png'), picture);
    const run = await finished({ generate: { width: 64, height: 64, init_image: 'start.png' } });
    await writeFile(join(dir, 'start.png'), 'no picture any more');
    await writeFile(join(dir, 'other.png'), picture);
    const ladder = 'retry.ladder=[{adjust: {init_image: other.png}}]';
    expect(await retried({ run, set: [ladder], cwd: dir })).toMatchObject({ exhausted: 3, failed: 0 });
    const [shot] = await shotsOf(run);
    expect(shot!.attempts.map(({ request }) => request.init_image)).toEqual(
      ['start.png', 'start.png', 'start.png', 'other.png'].map((name) => join(dir, name)),
    );
    expect(await state.ledger.file(run, join(dir, 'other.png'))).toBeDefined();
    await expect(
      service.retry({ ...all, run, set: ['retry.ladder=[{adjust: {init_image: none.png}}]'], cwd: dir }),
    ).rejects.toThrow(/none\.png, which the changed pipeline names/);
    expect(await state.ledger.run(run)).toMatchObject({ state: 'completed' });
  });

  it('that is broken off and resumed ends as it would have', async () => {
    const prompts = [{ text: 'a hand', count: 4 }];
    const undisturbed = await finished({ prompts });
    await retried({ run: undisturbed, attempts: 4 });
    const run = await finished({ prompts });
    const judged = new Promise<void>((resolve) => {
      state.events.listen((event) => event.type === 'judged' && event.key.number === 4 && resolve());
    });
    await service.retry({ ...all, run, attempts: 4 });
    await judged;
    await close();
    await open();
    await service.resume({ run, env: {} });
    expect(await here.ended(run)).toMatchObject({ state: 'completed', attempts: 24 });
    expect(await manifestOf(run)).toEqual(await manifestOf(undisturbed));
  });

  it('makes images that were deleted again as they were, once their loss is told', async () => {
    const run = await finished({
      gate: { model: './model', reject: [{ labels: ['*Bad_Anatomy'], threshold: 0.99 }] },
    });
    const before = await shotsOf(run);
    const fileOf = (shot: ShotRecord) => join(dir, 'out', run, shot.published!);
    expect(await service.missing(run)).toEqual({ images: 0, files: [] });
    await expect(service.retry({ ...all, which: 'missing' })).rejects.toThrow(
      `every published image of ${run} is there`,
    );
    const bytes = await readFile(fileOf(before[1]!));
    await rm(fileOf(before[1]!));
    await rm(fileOf(before[2]!));
    expect(await service.missing(run)).toEqual({
      images: 2,
      files: [fileOf(before[1]!), fileOf(before[2]!)],
    });
    await expect(service.retry({ ...all, which: 'missing', shots: [[1, 1]] })).rejects.toThrow(
      'of these shots',
    );
    const warnings: string[] = [];
    state.events.listen((event) => event.type === 'warning' && warnings.push(event.message));
    expect(await retried({ which: 'missing', shots: [[2, 2]] })).toMatchObject({ accepted: 3, attempts: 4 });
    expect(warnings).toEqual([
      expect.stringContaining(`1 published image of ${run} is gone: ${fileOf(before[2]!)}`),
    ]);
    const [first, second, third] = await shotsOf(run);
    expect([first, third]).toEqual([before[0], before[2]]);
    expect(second).toMatchObject({ outcome: 'accepted', kept: 2, published: before[1]!.published });
    const [sent, again] = second!.attempts.map(({ candidate }) =>
      JSON.stringify(candidate?.sent).replace(/"force_task_id":"[^"]*"/, ''),
    );
    expect(again).toBe(sent);
    expect(new Set(seedsOf(second!)).size).toBe(1);
    expect(readTruth(await readFile(fileOf(second!)))?.request).toEqual(readTruth(bytes)?.request);
    expect(await service.missing(run)).toMatchObject({ images: 1 });
  });

  it('needs the password of a server that stands in its file, and in no file of the state folder', async () => {
    const auth = 'me:hunter2-in-no-file';
    const backends = [{ name: 'gpu', kind: 'a1111', url: server.url, auth }];
    const run = await finished({ backends });
    await close();
    const home = join(dir, 'home');
    const entries = await readdir(home, { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((one) => one.isFile())) {
      const bytes = await readFile(join(entry.parentPath, entry.name));
      expect(bytes.includes('hunter2'), entry.name).toBe(false);
    }
    await open();
    await service.retry({ ...all, run, set: [lenient] });
    expect(await here.ended(run)).toMatchObject({ accepted: 3 });
    await rm(join(dir, 'again.yaml'));
    await rm(join(dir, 'out', run), { recursive: true });
    const again = service.retry({ ...all, run, which: 'missing' });
    await expect(again).rejects.toThrow('the environment variable REROLL_gpu_AUTH is not set');
  });

  it('refuses in words what it cannot do', async () => {
    await expect(service.retry({ ...all, run: 'other-1' })).rejects.toThrow(/there is no run other-1/);
    const run = await finished();
    const ask = (request: object) => service.retry({ ...all, run, ...request });
    await expect(ask({ which: 'failed' })).rejects.toThrow(`no shot of ${run} is failed`);
    await expect(ask({ shots: [[2, 4]] })).rejects.toThrow('no shot 2-4: its shots are 1 to 3');
    await expect(ask({ set: ['seed=4'] })).rejects.toThrow('seed is settled');
    await expect(ask({ set: ['retry.run_attempts=4'] })).rejects.toThrow('settled');
    await expect(ask({ set: ['gate.nothing=4'] })).rejects.toThrow('nothing');
    await state.ledger.retryShots(run, { outcomes: ['exhausted'], attempts: 1, files: [] });
    await expect(ask({})).rejects.toThrow(`${run} is not over`);
  });
});
