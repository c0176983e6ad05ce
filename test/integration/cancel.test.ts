import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { loadPipeline } from '../../src/pipeline/index.js';
import { LocalService, newRun, openState, RunHere, type State } from '../../src/runtime/index.js';
import { freshHome } from '../support/home.js';

let dir: string;
let state: State;
let here: RunHere;
let service: LocalService;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reroll-cancel-'));
  state = await openState(await freshHome(join(dir, 'home')), {});
  here = new RunHere(state);
  service = new LocalService(state, here);
});

afterEach(async () => {
  await here.stop({ force: true });
  await state.close();
  await rm(dir, { recursive: true, force: true });
});

/** A run that no process works on. */
async function interrupted() {
  const file = join(dir, 'cancelled.yaml');
  const config = {
    name: 'cancelled',
    backends: [{ name: 'away', kind: 'a1111', url: 'http://127.0.0.1:9' }],
    prompts: [{ text: 'a hand', count: 3 }],
    output: { dir: join(dir, 'out') },
  };
  await writeFile(file, stringify(config));
  const run = await newRun(state, await loadPipeline(file, { env: {} })).record();
  await state.ledger.recordSending({ run: run.id, shot: 1, number: 1 }, 'away', 'some id');
  return run.id;
}

const manifest = async (run: string) =>
  (await readFile(join(dir, 'out', run, 'manifest.jsonl'), 'utf8')).trimEnd().split('\n');

it('ends a run whose servers cannot be reached, with its manifest, and names them', async () => {
  const run = await interrupted();
  const warnings: string[] = [];
  state.events.listen((event) => event.type === 'warning' && warnings.push(event.message));
  expect(await service.cancel(run)).toMatchObject({ state: 'cancelled', cancelled: 3 });
  expect(await manifest(run)).toHaveLength(3);
  expect(warnings).toEqual([
    expect.stringMatching(/^Not told to stop, .* of cancelled-1: away: .*127\.0\.0\.1:9/),
  ]);
});

it('does the rest of a cancellation whose process died halfway', async () => {
  const run = await interrupted();
  await state.ledger.cancelRun(run);
  await service.cancel(run);
  expect(await manifest(run)).toHaveLength(3);
});

it('means the one run without a name, or the one that is running, or can be unpaused', async () => {
  await expect(service.pause()).rejects.toThrow('no run is going on in');
  const first = await interrupted();
  expect(await service.pause()).toMatchObject({ run: first, state: 'paused' });
  const second = await interrupted();
  expect(await service.unpause()).toMatchObject({ run: first });
  await expect(service.pause()).rejects.toThrow(`several runs are going on: ${first}, ${second}. Name`);
  await service.pause(second);
  expect(await service.pause()).toMatchObject({ run: first, state: 'paused' });
  await expect(service.cancel()).rejects.toThrow('Name the one that you mean');
  await service.unpause(second);
  expect(await service.cancel()).toMatchObject({ run: second, state: 'cancelled' });
  expect(await service.cancel()).toMatchObject({ run: first, state: 'cancelled' });
});
