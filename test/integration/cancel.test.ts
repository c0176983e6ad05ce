import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { QueueError } from '../../src/errors.js';
import { loadPipeline } from '../../src/pipeline/index.js';
import { LocalControl, openHouse, recordRun, type House } from '../../src/runtime/index.js';
import { freshHome } from '../support/home.js';

let dir: string;
let house: House;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reroll-cancel-'));
  house = await openHouse(await freshHome(join(dir, 'home')), {});
});

afterEach(async () => {
  await house.close();
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
  const run = await recordRun(house, await loadPipeline(file, { env: {} }));
  await house.ledger.recordSending({ run: run.id, shot: 1, number: 1 }, 'away', 'some id');
  return run.id;
}

const manifest = async (run: string) =>
  (await readFile(join(dir, 'out', run, 'manifest.jsonl'), 'utf8')).trimEnd().split('\n');

it('ends a run whose servers cannot be reached, with its manifest, and names them', async () => {
  const run = await interrupted();
  const warnings: string[] = [];
  house.events.listen((event) => event.type === 'warning' && warnings.push(event.message));
  expect(await new LocalControl(house).cancel(run)).toMatchObject({ state: 'cancelled', cancelled: 3 });
  expect(await manifest(run)).toHaveLength(3);
  expect(warnings).toEqual([
    expect.stringMatching(/^Not told to stop, .* of cancelled-1: away: .*127\.0\.0\.1:9/),
  ]);
});

it('does the rest of a cancellation whose process died halfway', async () => {
  const run = await interrupted();
  await house.ledger.cancelRun(run);
  await new LocalControl(house).cancel(run);
  expect(await manifest(run)).toHaveLength(3);
});

it('leaves the manifest also where the queue is away', async () => {
  const run = await interrupted();
  const clear = () => Promise.reject(new QueueError('Redis is away'));
  const control = new LocalControl({ ...house, queues: { ...house.queues, clear } });
  await expect(control.cancel(run)).rejects.toThrow('Redis is away');
  expect(await manifest(run)).toHaveLength(3);
});
