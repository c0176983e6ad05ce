import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { startSketchServer, type SketchServer } from '../../sketch/index.js';
import { rebuild } from '../../src/cli/rebuild.js';
import type { ShotRecord } from '../../src/ledger/index.js';
import { loadPipeline } from '../../src/pipeline/index.js';
import { LocalService, newRun, opening, openState, RunHere, type State } from '../../src/runtime/index.js';
import { freshHome } from '../support/home.js';
import { writeTinyModel } from '../support/tiny-model.js';

let dir: string;
let server: SketchServer;
const run = 'lost-1';

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reroll-rebuild-'));
  server = await startSketchServer({ latencyMs: 1, badRate: 0.5 });
  const [red, green] = [
    [30, -30, 0, 0],
    [-60, 60, 0, 0],
  ];
  await writeTinyModel(join(dir, 'model'), { weights: [red, green, red] });
  await freshHome(join(dir, '.reroll'));
  await write();
  await within(async (state, here) => {
    const pipeline = await loadPipeline(join(dir, 'lost.yaml'), { env: {} });
    await here.take(newRun(state, pipeline), { env: {}, signal: new AbortController().signal });
    await here.ended(run);
    before = await shotsOf(state);
  });
});
afterAll(async () => {
  await server.close();
  await rm(dir, { recursive: true });
});
beforeEach(() => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  return () => void vi.restoreAllMocks();
});

let before: ShotRecord[];

const write = (changes: object = {}) =>
  writeFile(
    join(dir, 'lost.yaml'),
    stringify({
      backends: [{ name: 'gpu', kind: 'a1111', url: server.url }],
      generate: { width: 64, height: 64, steps: 1 },
      prompts: [{ text: 'a {soft|hard} hand', count: 8 }],
      gate: { model: './model' },
      retry: { attempts: 3, ladder: ['new_seed'] },
      ...changes,
    }),
  );

const within = <T>(work: (state: State, here: RunHere) => Promise<T>): Promise<T> =>
  opening(async (releasers) => {
    const state = await openState(join(dir, '.reroll'), {});
    releasers.add(() => state.close());
    const here = new RunHere(state);
    releasers.add(() => here.stop({ force: true }));
    const result = await work(state, here);
    await releasers.close();
    return result;
  });

async function shotsOf({ ledger }: State): Promise<ShotRecord[]> {
  const shots: ShotRecord[] = [];
  for await (const shot of ledger.shots(run)) shots.push(shot);
  return shots;
}

const essence = ({ index, request, outcome, kept, published, attempts }: ShotRecord) => ({
  index,
  request,
  outcome,
  kept,
  published,
  seeds: attempts.slice(0, kept).map(({ candidate }) => candidate?.seed),
  decisions: attempts.slice(0, kept).map(({ verdict }) => verdict?.decision),
});

const again = () => rebuild(join(dir, 'lost.yaml'), run, false);

it('a run whose ledger is damaged is recorded anew from its images, and goes on where one is missing', async () => {
  await truncate(join(dir, '.reroll', 'db', 'global', 'pg_control'), 0);
  const gone = before[2]!;
  await rm(join(dir, 'out', run, gone.published!));
  expect(await again()).toBe(0);
  expect(await readdir(join(dir, '.reroll'))).toContainEqual(expect.stringMatching(/^db\.damaged-/));
  await within(async (state, here) => {
    const rebuilt = await shotsOf(state);
    const whole = (shots: ShotRecord[]) => shots.filter(({ index }) => index !== gone.index).map(essence);
    expect(whole(rebuilt)).toEqual(whole(before));
    expect(await state.ledger.progress(run)).toMatchObject({ state: 'running', due: 1 });
    await new LocalService(state, here).resume({ run, env: {} });
    expect(await here.ended(run)).toMatchObject({ state: 'completed' });
    expect((await shotsOf(state)).map(essence)).toEqual(before.map(essence));
  });
});

it('nothing is recorded where the pipeline asks for something else, or the run is there', async () => {
  await expect(again()).rejects.toThrow(`${run} is in the ledger`);
  await rm(join(dir, '.reroll', 'db'), { recursive: true });
  await write({ prompts: [{ text: 'a {soft|hard} hand', count: 3 }] });
  await expect(again()).rejects.toThrow('does not ask for what');
  await expect(rebuild(join(dir, 'lost.yaml'), 'other-1', false)).rejects.toThrow('is no run of');
  expect(await within((state) => state.ledger.runs())).toEqual([]);
});
