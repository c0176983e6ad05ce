import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { QueueError } from '../../src/errors.js';
import { loadPipeline } from '../../src/pipeline/index.js';
import { LocalControl, openState, recordRun, type State } from '../../src/runtime/index.js';
import { freshHome } from '../support/home.js';

let dir: string;
let state: State;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reroll-cancel-'));
  state = await openState(await freshHome(join(dir, 'home')), {});
});

afterEach(async () => {
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
  const run = await recordRun(state, await loadPipeline(file, { env: {} }));
  await state.ledger.recordSending({ run: run.id, shot: 1, number: 1 }, 'away', 'some id');
  return run.id;
}

const manifest = async (run: string) =>
  (await readFile(join(dir, 'out', run, 'manifest.jsonl'), 'utf8')).trimEnd().split('\n');

it('ends a run whose servers cannot be reached, with its manifest, and names them', async () => {
  const run = await interrupted();
  const warnings: string[] = [];
  state.events.listen((event) => event.type === 'warning' && warnings.push(event.message));
  expect(await new LocalControl(state).cancel(run)).toMatchObject({ state: 'cancelled', cancelled: 3 });
  expect(await manifest(run)).toHaveLength(3);
  expect(warnings).toEqual([
    expect.stringMatching(/^Not told to stop, .* of cancelled-1: away: .*127\.0\.0\.1:9/),
  ]);
});

it('does the rest of a cancellation whose process died halfway', async () => {
  const run = await interrupted();
  await state.ledger.cancelRun(run);
  await new LocalControl(state).cancel(run);
  expect(await manifest(run)).toHaveLength(3);
});

it('leaves the manifest also where the queue is away', async () => {
  const run = await interrupted();
  const clear = () => Promise.reject(new QueueError('Redis is away'));
  const control = new LocalControl({ ...state, queues: { ...state.queues, clear } });
  await expect(control.cancel(run)).rejects.toThrow('Redis is away');
  expect(await manifest(run)).toHaveLength(3);
});
