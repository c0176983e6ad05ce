import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readTruth, startSketchServer, type SketchServer } from '../../sketch/index.js';
import type { Classifier } from '../../src/classifier/index.js';
import { findPostgres, startPostgres, type PostgresServer } from '../support/postgres.js';
import { resumePipeline, runPipeline } from '../support/run.js';
import { scoresOf } from '../support/scores.js';

let dir: string;
let artist: SketchServer;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reroll-lost-'));
  artist = await startSketchServer({ badRate: 1, latencyMs: 20 });
});
afterEach(async () => {
  await artist.close();
  await rm(dir, { recursive: true, force: true });
});

/** Rejects all, some more than others: which attempt is the best is in the image alone. */
const classifier: Classifier = {
  model: { name: 'fussy', revision: 'none', dtype: 'none' },
  labels: ['Bad_Anatomy', 'Good_Anatomy'],
  async classify(image) {
    const seed = typeof image === 'string' ? undefined : readTruth(image)?.seed;
    const byte = createHash('sha256').update(String(seed)).digest()[0] ?? 0;
    const bad = 0.6 + byte / 1000;
    return scoresOf({ Bad_Anatomy: bad, Good_Anatomy: 1 - bad });
  },
  close: async () => undefined,
};

const pipeline = (count: number) => ({
  name: 'lost',
  seed: 5,
  backends: [{ name: 'artist', kind: 'a1111', url: artist.url }],
  generate: { width: 64, height: 64, steps: 4 },
  prompts: [{ text: 'a hand', count }],
  gate: { model: 'fussy' },
  retry: { attempts: 3, on_exhausted: 'keep_best' },
  output: { dir: 'out', keep_rejected: true },
});

const programs = findPostgres();
describe.runIf(programs !== undefined)('a run that another machine takes over', () => {
  let postgres: PostgresServer;
  beforeAll(async () => void (postgres = await startPostgres(programs ?? '')));
  afterAll(() => postgres.close());

  it('fails no shot for candidates that lie on the first one, and ends as if nothing had happened', async () => {
    const env = { REROLL_DATABASE_URL: postgres.url };
    const undisturbed = await runPipeline(dir, pipeline(8), { name: 'undisturbed', classifier });
    expect(undisturbed.shots.some(({ kept }) => kept !== 3)).toBe(true);
    const leave = new AbortController();
    let judged = 0;
    const first = await runPipeline(dir, pipeline(8), {
      name: 'first',
      env,
      classifier,
      onEvent: ({ type }) => type === 'judged' && ++judged === 14 && leave.abort(),
      signals: { force: leave.signal },
    });
    expect(first.summary.state).toBe('running');
    const second = await resumePipeline(dir, first.summary.run, { name: 'second', env, classifier });
    expect(second.summary).toMatchObject({ state: 'completed', failed: 0, exhausted: 8 });
    expect(second.manifest).toEqual(undisturbed.manifest);
    for (const { published } of second.shots) await access(join(second.summary.outputDir, published ?? ''));
    // Made again is what was to be kept, and nothing else.
    const again = second.shots.flatMap(({ attempts }) => attempts.filter(({ lost }) => lost));
    expect(again.length).toBeGreaterThan(0);
  });
});

describe('an image that is stored', () => {
  const fileOf = (name: string, key: { shot: number; number: number }) =>
    join(dir, `home-${name}`, 'candidates', 'lost-1', `${key.shot}-${key.number}.png`);

  it('and lost again and again fails its shot, which says so; the others go on', async () => {
    const ran = await runPipeline(dir, pipeline(2), {
      name: 'hole',
      classifier,
      onEvent: (event) =>
        event.type === 'generated' && event.key.shot === 1 && rmSync(fileOf('hole', event.key)),
    });
    expect(ran.summary).toMatchObject({ state: 'completed', failed: 1, exhausted: 1 });
    expect(ran.shots[0]!.reason).toMatch(
      /^its image was made 4 times, and lost each time: .*1-1\.png is gone/,
    );
    expect(artist.stats().requests).toBe(4 + 3);
  });

  it('and cannot be read for a while is not lost: it is told, looked for again, and not made twice', async () => {
    let hide = true;
    const ran = await runPipeline(dir, pipeline(2), {
      name: 'away',
      classifier,
      onEvent(event) {
        if (event.type === 'generated' && event.key.shot === 1 && hide) {
          hide = false;
          // A folder in its place is no such thing as a file that is gone.
          const file = fileOf('away', event.key);
          renameSync(file, `${file}.away`);
          mkdirSync(file);
        }
        if (event.type === 'warning' && event.code === 'image-unreadable') {
          const file = fileOf('away', { shot: 1, number: 1 });
          rmSync(file, { recursive: true });
          renameSync(`${file}.away`, file);
        }
      },
    });
    expect(ran.summary).toMatchObject({ state: 'completed', failed: 0, exhausted: 2, attempts: 6 });
    expect(ran.events.filter((event) => event.type === 'warning')).toEqual([
      expect.objectContaining({
        code: 'image-unreadable',
        message: expect.stringMatching(/1-1\.png.*waited for/) as string,
      }),
    ]);
    expect(artist.stats().requests).toBe(6);
  });
});
