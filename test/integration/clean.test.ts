import { access, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { openBlobs } from '../../src/blobs/index.js';
import { openLedger } from '../../src/ledger/index.js';
import { loadPipeline } from '../../src/pipeline/index.js';
import { clean, LocalService, newRun, openState, RunHere, type State } from '../../src/runtime/index.js';
import { QueueNames } from '../../src/runtime/queue-names.js';
import { startSketchServer, type SketchServer } from '../../sketch/index.js';
import { copyFolder, freshHome } from '../support/home.js';
import { testPicture } from '../support/pictures.js';
import { writeTinyModel } from '../support/tiny-model.js';

let dir: string;
let home: string;
let picture: Buffer;
let server: SketchServer;
let state: State;
let here: RunHere;
/** Of blobs: unnamed, unnamed but new, and named by mess-2. */
let old: string;
let young: string;
let named: string;

async function open() {
  state = await openState(home, {});
  here = new RunHere(state);
}

async function close() {
  await here.stop({ force: true });
  await state.close();
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reroll-clean-'));
  home = join(dir, 'home');
  server = await startSketchServer({ latencyMs: 1, badRate: 0 });
  await writeTinyModel(join(dir, 'model'), { weights: [1, 2, 3].map(() => [0, 0, 0, 0]) });
  picture = await testPicture(64, 64).png().toBuffer();
  await writeFile(join(dir, 'start.png'), picture);
  await writeFile(
    join(dir, 'mess.yaml'),
    stringify({
      name: 'mess',
      seed: 3,
      backends: [{ name: 'gpu', kind: 'a1111', url: server.url }],
      generate: { width: 64, height: 64, steps: 4, init_image: 'start.png' },
      prompts: [{ text: 'a hand', count: 3 }],
      gate: { model: './model', reject: [{ labels: ['*Bad_Anatomy'], threshold: 0.4 }] },
      retry: { attempts: 2, run_attempts: 6 },
      output: { dir: 'out' },
    }),
  );
  await freshHome(home);
  await mess();
  await copyFolder(home, join(dir, 'home of the mess'));
  await copyFolder(join(dir, 'out'), join(dir, 'out of the mess'));
});

beforeEach(async () => {
  for (const folder of ['home', 'out']) {
    await rm(join(dir, folder), { recursive: true });
    await copyFolder(join(dir, `${folder} of the mess`), join(dir, folder));
  }
  await writeFile(join(dir, 'start.png'), picture);
  await open();
});

afterEach(close);

afterAll(async () => {
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

const recorded = async () => newRun(state, await loadPipeline(join(dir, 'mess.yaml'), { env: {} }));
const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
const blobPath = (sha256: string) => join(home, 'blobs', sha256.slice(0, 2), sha256.slice(2));

/** mess-1 is over, mess-2 is not; and what a kill and a deleted run leave. */
async function mess() {
  await open();
  const { signal } = new AbortController();
  const { id } = await here.take(await recorded(), { env: {}, signal });
  await here.ended(id);
  await (await recorded()).record();
  await state.candidates.put('mess-1/1-1.png', Buffer.alloc(5000));
  await state.candidates.put('mess-2/1-1.png', Buffer.alloc(5000));
  old = await openBlobs(join(home, 'blobs')).put(Buffer.alloc(7000));
  named = (await state.ledger.file('mess-2', join(dir, 'start.png')))!.sha256;
  for (const sha256 of [old, named]) await utimes(blobPath(sha256), new Date(0), new Date(0));
  young = await openBlobs(join(home, 'blobs')).put(Buffer.alloc(8000));
  const { place } = new QueueNames(state.ledger.id, state.store);
  const jobs = [1, 2].map((run) => ({
    id: `mess-${run}.1.9`,
    data: { run: `mess-${run}`, shot: 1, number: 9 },
  }));
  await state.queues.add(`generate-${place}-any-x`, jobs);
  await state.ledger.appendEvents('mess-1', [{ code: 'run', data: {} }]);
  await close();
  const { pool, close: closeLedger } = await openLedger({ home });
  for (const [table, columns] of [
    ['files', `'/x', 'ab', 1, 1`],
    ['paths', `'x', 1, 'x', 'x'`],
    ['events', `1, now(), 'run', '{}'`],
  ])
    await pool.query(`insert into reroll.${table} values ('gone-1', ${columns})`);
  await closeLedger();
}

describe('clean', () => {
  it('frees what no command needs, once, and nothing else; a dry run frees nothing', async () => {
    const would = await clean(state, { isDry: true });
    const again = await clean(state, { isDry: true });
    expect({ ...again, before: 0, after: 0 }).toEqual({ ...would, before: 0, after: 0 });
    expect(would).toMatchObject({
      runs: [],
      candidates: { files: 1, bytes: 5000 },
      blobs: { files: 1, bytes: 7000 },
      jobs: 1,
      rows: { files: 1, paths: 1, events: 1, shots: 0, attempts: 0, runs: 0 },
    });
    expect(would.rows.standings).toBeGreaterThan(0);

    const cleaned = await clean(state, { isDry: false });
    expect({ ...cleaned, before: 0, after: 0 }).toEqual({ ...would, before: 0, after: 0 });
    expect(cleaned.after).toBeLessThanOrEqual(cleaned.before);
    const next = await clean(state, { isDry: false });
    expect(next.after).toBeLessThan(next.before + 300_000);
    expect(await clean(state, { isDry: true })).toMatchObject({
      candidates: { files: 0 },
      blobs: { files: 0 },
      jobs: 0,
      rows: { files: 0, paths: 0, events: 0, standings: 0 },
    });
    expect(await Promise.all([old, young, named].map((one) => isThere(blobPath(one))))).toEqual([
      false,
      true,
      true,
    ]);
    expect(await state.candidates.read('mess-2/1-1.png')).toHaveLength(5000);

    const service = new LocalService(state, here);
    await rm(join(dir, 'start.png'));
    await service.resume({ run: 'mess-2', env: {} });
    expect(await here.ended('mess-2')).toMatchObject({ state: 'completed', attempts: 6, failed: 0 });
    await service.retry({ run: 'mess-1', which: 'exhausted', set: [], cwd: dir, env: {} });
    expect(await here.ended('mess-1')).toMatchObject({ state: 'completed', attempts: 12, failed: 0 });
  });

  it('removes the records of old runs where it is asked to, never their images', async () => {
    const shots = [];
    for await (const { published } of state.ledger.shots('mess-1'))
      shots.push(join(dir, 'out/mess-1', published!));
    const past = new Date(Date.now() - 60_000);
    expect(await clean(state, { isDry: true, before: past })).toMatchObject({ runs: [] });
    const before = new Date(Date.now() + 60_000);
    const would = await clean(state, { isDry: true, before });
    expect(would).toMatchObject({ runs: ['mess-1'], rows: { runs: 1, shots: 3, attempts: 6 } });
    const cleaned = await clean(state, { isDry: false, before });
    expect(cleaned.rows).toEqual(would.rows);
    expect((await state.ledger.runs()).map(({ id }) => id)).toEqual(['mess-2']);
    expect(await isThere(blobPath(named))).toBe(true);
    for (const file of [...shots, join(dir, 'out/mess-1/manifest.jsonl')]) await readFile(file);
    // The name stays taken: its folder is there.
    expect((await (await recorded()).record()).id).toBe('mess-3');
  });

  it('leaves blobs alone where another ledger uses the folder', async () => {
    await mkdir(join(home, 'ledgers'), { recursive: true });
    await writeFile(join(home, 'ledgers', 'another'), '');
    expect(await clean(state, { isDry: false })).toMatchObject({ blobs: { files: 0 } });
    expect(await isThere(blobPath(old))).toBe(true);
  });
});
