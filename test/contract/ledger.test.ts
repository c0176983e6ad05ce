import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/errors.js';
import { openLedger, type AttemptKey, type Ledger } from '../../src/ledger/index.js';
import { migrate } from '../../src/ledger/migrate.js';
import { migrations } from '../../src/ledger/migrations.js';
import * as reads from '../../src/ledger/reads.js';
import * as statements from '../../src/ledger/statements.js';
import { laneOf, seedFor, type Step } from '../../src/loop/index.js';
import {
  aCandidate,
  allShots,
  aModel,
  aRequest,
  aRun,
  aVerdict,
  countedProgress,
  countedStandings,
  openTestLedger,
  someShots,
  type TestLedger,
} from '../support/ledger.js';
import { findPostgres, startPostgres, type PostgresServer } from '../support/postgres.js';

const programs = findPostgres();
const databases: { database: string; programs?: string }[] = [
  { database: 'PGlite' },
  ...(programs === undefined ? [] : [{ database: 'PostgreSQL', programs }]),
];

const free = () => Promise.resolve(false);
const accept: Step = { kind: 'end', outcome: 'accepted', keep: 1 };
const retry: Step = { kind: 'retry', request: aRequest({ seed: 2 }) };
const wait: Step = { kind: 'wait' };

type GuardedMove =
  | 'recordSending'
  | 'recordServerError'
  | 'dropRepair'
  | 'recordCandidate'
  | 'recordLostCandidate'
  | 'recordVerdict'
  | 'recordAgain'
  | 'recordStep'
  | 'failShot'
  | 'moveRun';

describe.each(databases)('the ledger on $database', ({ programs }) => {
  let postgres: PostgresServer | undefined;
  let url: string | undefined;
  let store: TestLedger;
  let ledger: Ledger;
  let names = 0;

  /** A name that no other test, nor an earlier run of this file, has used. */
  const newName = () => `t${Date.now().toString(36)}-${++names}`;
  const newRun = async (shots: Parameters<typeof someShots>[0] = 1) =>
    (await ledger.createRun(aRun(newName()), someShots(shots), free)).id;
  const keyOf = (run: string, shot = 1, number = 1): AttemptKey => ({ run, shot, number });
  const generated = async (key: AttemptKey) => {
    await ledger.recordSending(key, 'gpu', `id-${key.shot}-${key.number}`);
    await ledger.recordCandidate(key, aCandidate);
  };
  /** Progress must always be what counting the shots gives. */
  const expectTrueCounters = async (run: string) => {
    const progress = await ledger.progress(run);
    const shots = await allShots(ledger, run);
    expect(progress).toMatchObject(countedProgress(shots));
    if (progress.state !== 'cancelled') {
      const asked = Math.ceil(shots.length / 2);
      expect(await ledger.budgetCounts(run, asked)).toEqual(countedStandings(shots, asked));
    }
    return progress;
  };

  beforeAll(async () => {
    if (programs !== undefined) postgres = await startPostgres(programs);
    url = postgres?.url;
    store = await openTestLedger(url);
    ledger = store.ledger;
  });
  afterAll(async () => {
    await store.remove();
    await postgres?.close();
  });

  describe('a new run', () => {
    it('has its shots and attempt 1 of each, exactly as they were given', async () => {
      const request = aRequest({ seed: 4_294_967_295, cfg_scale: 0.1 + 0.2, styles: ['a', 'b'] });
      const shots = [{ request, tags: ['xl', 'big'], priority: 7, prompt: 'pianist' }, {}];
      const name = newName();
      const run = await ledger.createRun(aRun(name), someShots(shots), free);
      expect({ ...run, hasBudget: true, files: [] }).toEqual({
        ...aRun(name),
        id: `${name}-1`,
        state: 'running',
        shots: 2,
        createdAt: expect.any(Date) as Date,
      });
      expect(await ledger.run(run.id)).toEqual(run);
      const [first, second] = await allShots(ledger, run.id);
      expect(first).toEqual({
        run: run.id,
        index: 1,
        prompt: 'pianist',
        request,
        priority: 7,
        tags: ['xl', 'big'],
        attempts: [
          {
            ...keyOf(run.id),
            state: 'due',
            request,
            tags: ['xl', 'big'],
            lane: expect.stringContaining('xl') as string,
            serverErrors: 0,
            createdAt: expect.any(Date) as Date,
          },
        ],
      });
      expect(second?.attempts).toHaveLength(1);
      await expectTrueCounters(run.id);
    });

    it('has the files that it and its shots name, each once', async () => {
      const name = newName();
      const aFile = (path: string) => ({ path, sha256: `hash of ${path}`, bytes: 2 ** 40, modifiedMs: 0.5 });
      async function* shots() {
        for await (const shot of someShots(700))
          yield { ...shot, files: [aFile('/b'), aFile(`/p/${String(shot.index).padStart(3, '0')}`)] };
      }
      const { id } = await ledger.createRun(
        { ...aRun(name), files: [aFile('/b'), aFile('/a')] },
        shots(),
        free,
      );
      expect(await ledger.file(id, '/a')).toEqual(aFile('/a'));
      expect(await ledger.file(id, '/c')).toBeUndefined();
      expect(await ledger.file(`${name}-2`, '/a')).toBeUndefined();
      const paths = [];
      for await (const { path } of ledger.files(id)) paths.push(path);
      expect(paths).toHaveLength(702);
      expect(paths.slice(0, 3)).toEqual(['/a', '/b', '/p/001']);
    });

    it('gets the first free number that the caller does not rule out', async () => {
      const name = newName();
      const create = (taken: (id: string) => Promise<boolean>) =>
        ledger.createRun(aRun(name), someShots(1), taken);
      expect((await create(free)).id).toBe(`${name}-1`);
      expect((await create((id) => Promise.resolve(id === `${name}-2`))).id).toBe(`${name}-3`);
      expect((await create(free)).id).toBe(`${name}-2`);
    });

    it('is not there at all when its shots fail half way', async () => {
      const name = newName();
      async function* broken() {
        yield* someShots(700);
        throw new ConfigError('line 701 is broken');
      }
      await expect(ledger.createRun(aRun(name), broken(), free)).rejects.toThrow('line 701');
      expect(await ledger.run(`${name}-1`)).toBeUndefined();
      expect(await ledger.shot(`${name}-1`, 1)).toBeUndefined();
    });

    it('keeps characters that PostgreSQL refuses as replacement characters', async () => {
      const run = await newRun([{ request: aRequest({ prompt: 'a\0b \\u0000 \ud800 😀' }) }]);
      expect((await ledger.attempt(keyOf(run)))?.request.prompt).toBe('a\uFFFDb \\u0000 \uFFFD 😀');
      expect(await ledger.failShot(run, 1, 'bad\0body')).toBe(true);
      expect((await ledger.shot(run, 1))?.reason).toBe('bad\uFFFDbody');
    });

    it('comes first in the list of runs', async () => {
      const [older, newer] = [await newRun(), await newRun()];
      const ids = (await ledger.runs()).map(({ id }) => id);
      expect(ids.slice(0, 2)).toEqual([newer, older]);
    });

    it('may have more shots than fit into one page', async () => {
      const run = await newRun(1234);
      const shots = await allShots(ledger, run);
      expect(shots.map(({ index }) => index)).toEqual(Array.from({ length: 1234 }, (_, place) => place + 1));
      expect(await ledger.openShots(run)).toBe(1234);
    });
  });

  describe('what is due', () => {
    it('comes by priority, then shot, up to the limit, and by lane', async () => {
      const run = await newRun([
        {},
        { priority: 5, tags: ['xl'] },
        { priority: -5 },
        { priority: 5 },
        { priority: 5, tags: ['xl'] },
      ]);
      const order = (due: { shot: number }[]) => due.map(({ shot }) => shot);
      expect(order(await ledger.dueAttempts(run, 'due', 10))).toEqual([2, 4, 5, 1, 3]);
      expect(order(await ledger.dueAttempts(run, 'due', 2))).toEqual([2, 4]);
      expect(await ledger.dueAttempts(run, 'generated', 10)).toEqual([]);

      const lanes = await ledger.dueLanes(run);
      expect(lanes.map(({ priority, tags }) => ({ priority, tags }))).toEqual([
        { priority: 5, tags: [] },
        { priority: 5, tags: ['xl'] },
      ]);
      expect(lanes[0]?.request).toEqual(aRequest());
      expect(order(await ledger.dueAttempts(run, 'due', 10, lanes[1]!.lane))).toEqual([2, 5]);

      await generated(keyOf(run, 2));
      expect(order(await ledger.dueAttempts(run, 'due', 10, lanes[1]!.lane))).toEqual([5]);
      expect(order(await ledger.dueAttempts(run, 'generated', 10))).toEqual([2]);
    });

    it('is nothing for a run that is not there', async () => {
      expect(await ledger.dueLanes('none-1')).toEqual([]);
      expect(await ledger.dueAttempts('none-1', 'due', 10)).toEqual([]);
      await expect(ledger.progress('none-1')).rejects.toThrow(ConfigError);
    });
  });

  describe('an attempt', () => {
    it('remembers where it was sent, again and again while it is due', async () => {
      const key = keyOf(await newRun());
      expect(await ledger.recordSending(key, 'gpu1', 'id1')).toBe(true);
      expect(await ledger.recordSending(key, 'gpu2', 'id2')).toBe(true);
      expect(await ledger.attempt(key)).toMatchObject({ backend: 'gpu2', remoteId: 'id2', state: 'due' });
      await ledger.recordCandidate(key, aCandidate);
      expect(await ledger.recordSending(key, 'gpu3', 'id3')).toBe(false);
      expect(await ledger.attempt(key)).toMatchObject({ backend: 'gpu2', remoteId: 'id2' });
    });

    it('counts server errors while it is due, and forgets or keeps the remote id as told', async () => {
      const key = keyOf(await newRun());
      await ledger.recordSending(key, 'gpu', 'id');
      expect(await ledger.recordServerError(key, 'refused', true)).toBe(1);
      expect(await ledger.attempt(key)).toMatchObject({ remoteId: 'id', lastError: 'refused' });
      expect(await ledger.recordServerError(key, 'out of memory', false)).toBe(2);
      expect(await ledger.attempt(key)).not.toHaveProperty('remoteId');
      await generated(key);
      expect(await ledger.recordServerError(key, 'too late', false)).toBe(2);
      expect(await ledger.attempt(key)).toMatchObject({ lastError: 'out of memory', state: 'generated' });
      expect((await expectTrueCounters(key.run)).serverErrors).toBe(2);
    });

    it('takes one candidate, and keeps what was sent exactly', async () => {
      const key = keyOf(await newRun());
      expect(await ledger.recordCandidate(key, aCandidate)).toBe(true);
      expect(await ledger.recordCandidate(key, { ...aCandidate, file: 'other' })).toBe(false);
      const attempt = await ledger.attempt(key);
      expect(attempt).toMatchObject({ state: 'generated', generatedAt: expect.any(Date) as Date });
      expect(attempt?.candidate).toEqual(aCandidate);
      await expectTrueCounters(key.run);
    });

    it('is due again after its verdict when its candidate, which is to be kept, got lost', async () => {
      const first = keyOf(await newRun());
      const last = { ...first, number: 2 };
      await generated(first);
      await ledger.recordVerdict(first, aVerdict('reject'), aModel, retry);
      const judged = { verdict: aVerdict('reject'), model: aModel };
      expect(await ledger.recordAgain(last, 1, judged)).toBe(false);
      await generated(last);
      expect(await ledger.recordAgain(last, 1)).toBe(false);
      expect(await ledger.recordAgain(last, 1, judged)).toBe(true);
      expect(await ledger.recordAgain(last, 1, judged)).toBe(false);
      expect(await ledger.attempt(last)).toMatchObject({ state: 'judged' });
      const attempt = await ledger.attempt(first);
      expect(attempt).toMatchObject({ state: 'due', remoteId: 'id-1-1', lost: 1 });
      expect(attempt).not.toHaveProperty('verdict');
      expect(await expectTrueCounters(first.run)).toMatchObject({ due: 1, attempts: 1, rejected: 1 });
      // Then it goes on from its last attempt.
      await generated(first);
      expect(await ledger.recordVerdict(first, aVerdict('reject'), aModel, retry)).toBe(true);
      expect(await ledger.attempt({ ...first, number: 3 })).toMatchObject({ state: 'due' });
      await expectTrueCounters(first.run);
    });

    it('is due again once when its candidate got lost', async () => {
      const key = keyOf(await newRun());
      expect(await ledger.recordLostCandidate(key)).toBe(false);
      await generated(key);
      expect(await ledger.recordLostCandidate(key)).toBe(true);
      expect(await ledger.recordLostCandidate(key)).toBe(false);
      const attempt = await ledger.attempt(key);
      expect(attempt).toMatchObject({ state: 'due', remoteId: 'id-1-1', lost: 1 });
      expect(attempt).not.toHaveProperty('candidate');
      expect((await expectTrueCounters(key.run)).due).toBe(1);
    });

    it('makes a new image, in the lane of such, where it cannot repair one', async () => {
      const key = keyOf(await newRun());
      await generated(key);
      await ledger.recordServerError(key, 'busy', true);
      const repair = { with: 'adetailer' } as const;
      await ledger.recordVerdict(key, aVerdict('reject'), aModel, { ...retry, repair });
      const next = { ...key, number: 2 };
      await ledger.recordSending(next, 'gpu', 'id-2');
      await ledger.recordServerError(next, 'busy', true);
      const before = await ledger.attempt(next);
      expect(before).toMatchObject({ repair, remoteId: 'id-2', serverErrors: 1 });
      expect(await ledger.dropRepair(next)).toBe(true);
      const after = await ledger.attempt(next);
      expect(after).toMatchObject({ state: 'due', lane: laneOf(after!.request, []), serverErrors: 1 });
      expect(after!.request).toEqual(before!.request);
      expect(after).not.toHaveProperty('repair');
      expect(after).not.toHaveProperty('remoteId');
      expect(await ledger.dropRepair(next)).toBe(false);
      await expectTrueCounters(key.run);
    });

    it('gets no verdict before it has a candidate', async () => {
      const key = keyOf(await newRun());
      expect(await ledger.recordVerdict(key, aVerdict('accept'), aModel, accept)).toBe(false);
      expect((await ledger.shot(key.run, 1))?.outcome).toBeUndefined();
      await expectTrueCounters(key.run);
    });
  });

  describe('a verdict', () => {
    it('ends an accepted shot, once', async () => {
      const key = keyOf(await newRun());
      await generated(key);
      expect(await ledger.recordVerdict(key, aVerdict('accept'), aModel, accept, 'a.png')).toBe(true);
      expect(await ledger.recordVerdict(key, aVerdict('reject'), aModel, retry)).toBe(false);
      const shot = await ledger.shot(key.run, 1);
      expect(shot).toMatchObject({ outcome: 'accepted', kept: 1, published: 'a.png' });
      expect(shot?.attempts).toMatchObject([
        { state: 'judged', verdict: aVerdict('accept'), model: aModel, judgedAt: expect.any(Date) as Date },
      ]);
      expect(await expectTrueCounters(key.run)).toMatchObject({ accepted: 1, attempts: 1, rejected: 0 });
    });

    it('may bring the next attempt, once, in the lane of its own request', async () => {
      const run = await newRun([{ tags: ['xl'], priority: 3 }]);
      await generated(keyOf(run));
      const request = aRequest({ checkpoint: 'other' });
      const repair = { with: 'adetailer', model: 'hand' } as const;
      const again: Step = { kind: 'retry', request, repair };
      expect(await ledger.recordVerdict(keyOf(run), aVerdict('reject'), aModel, again)).toBe(true);
      expect(await ledger.recordVerdict(keyOf(run), aVerdict('reject'), aModel, again)).toBe(false);
      expect(await ledger.attempt(keyOf(run, 1, 2))).toMatchObject({
        state: 'due',
        request,
        repair,
        tags: ['xl'],
      });
      const [due] = await ledger.dueAttempts(run, 'due', 10);
      expect(due).toEqual({
        ...keyOf(run, 1, 2),
        priority: 3,
        lane: expect.stringMatching(/^other-adetailer-xl-/) as string,
      });
      expect(await expectTrueCounters(run)).toMatchObject({ attempts: 1, rejected: 1, due: 1 });
    });

    it('may exhaust the shot, with an attempt to publish or none', async () => {
      const run = await newRun(2);
      await generated(keyOf(run, 1));
      await generated(keyOf(run, 2));
      const keep: Step = { kind: 'end', outcome: 'exhausted', keep: 1, review: true };
      expect(await ledger.recordVerdict(keyOf(run, 1), aVerdict('review'), aModel, keep)).toBe(true);
      const discard: Step = { kind: 'end', outcome: 'exhausted' };
      expect(await ledger.recordVerdict(keyOf(run, 2), aVerdict('reject'), aModel, discard)).toBe(true);
      const [first, second] = await allShots(ledger, run);
      expect(first).toMatchObject({ outcome: 'exhausted', kept: 1 });
      expect(first).not.toHaveProperty('published');
      expect(second).not.toHaveProperty('kept');
      expect(await expectTrueCounters(run)).toMatchObject({ exhausted: 2, rejected: 2 });
    });

    it('is recorded once when two workers bring it at the same moment', async () => {
      const key = keyOf(await newRun());
      await generated(key);
      const bring = () => ledger.recordVerdict(key, aVerdict('reject'), aModel, retry);
      const told = await Promise.all([bring(), bring(), bring(), bring()]);
      expect(told.filter(Boolean)).toHaveLength(1);
      expect(await expectTrueCounters(key.run)).toMatchObject({ attempts: 1, due: 1 });
    });
  });

  describe('a shot that waits for the budget', () => {
    const waiting = async () => {
      const key = keyOf(await newRun(2));
      await generated(key);
      await ledger.recordVerdict(key, aVerdict('reject'), aModel, wait);
      return key;
    };

    it('is listed until its step is recorded, and then goes on, once', async () => {
      const key = await waiting();
      expect(await ledger.waitingShots(key.run, 'first', 9)).toEqual([key]);
      expect(await ledger.openShots(key.run)).toBe(2);
      expect(await ledger.recordStep(key, wait)).toBe(false);
      expect(await ledger.recordStep({ ...key, number: 2 }, retry)).toBe(false);
      expect(await ledger.recordStep(key, retry)).toBe(true);
      expect(await ledger.recordStep(key, retry)).toBe(false);
      expect(await ledger.waitingShots(key.run, 'first', 9)).toEqual([]);
      expect(await ledger.attempt({ ...key, number: 2 })).toMatchObject({
        state: 'due',
        request: retry.request,
      });
      expect(await expectTrueCounters(key.run)).toMatchObject({ attempts: 1, due: 2 });
    });

    it('may end', async () => {
      const key = await waiting();
      const end: Step = { kind: 'end', outcome: 'exhausted', keep: 1 };
      expect(await ledger.recordStep(key, end, 'best.png')).toBe(true);
      expect(await ledger.recordStep(key, retry)).toBe(false);
      expect(await ledger.shot(key.run, 1)).toMatchObject({
        outcome: 'exhausted',
        kept: 1,
        published: 'best.png',
      });
      await expectTrueCounters(key.run);
    });

    it('takes no step that nobody waits for', async () => {
      const key = keyOf(await newRun());
      expect(await ledger.recordStep(key, retry)).toBe(false);
      await generated(key);
      expect(await ledger.recordStep(key, retry)).toBe(false);
      await expectTrueCounters(key.run);
    });
  });

  it('counts how far the shots before and after one are', async () => {
    const run = await newRun(5);
    for (const shot of [1, 2, 4]) await generated(keyOf(run, shot));
    await ledger.recordVerdict(keyOf(run, 1), aVerdict('accept'), aModel, accept);
    await ledger.recordVerdict(keyOf(run, 2), aVerdict('reject'), aModel, retry);
    await ledger.recordVerdict(keyOf(run, 4), aVerdict('reject'), aModel, retry);
    expect(await ledger.budgetCounts(run, 4)).toEqual([
      { ended: false, attempts: 1, before: 1, after: 1 },
      { ended: false, attempts: 2, before: 1, after: 1 },
      { ended: true, attempts: 1, before: 1, after: 0 },
    ]);
  });

  it('counts the same in a run of many shots', async () => {
    const run = await newRun(600);
    for (const shot of [1, 255, 256, 300, 511, 512, 600]) {
      await generated(keyOf(run, shot));
      await ledger.recordVerdict(keyOf(run, shot), aVerdict('reject'), aModel, shot % 2 ? retry : accept);
    }
    await ledger.failShot(run, 257, 'no');
    await ledger.failShot(run, 255, 'no');
    const shots = await allShots(ledger, run);
    for (const asked of [1, 255, 256, 400, 600])
      expect(await ledger.budgetCounts(run, asked)).toEqual(countedStandings(shots, asked));
  });

  describe('a shot that has ended', () => {
    it('fails once, and drops its open attempt', async () => {
      const key = keyOf(await newRun());
      await generated(key);
      expect(await ledger.failShot(key.run, 1, 'no checkpoint "x"')).toBe(true);
      expect(await ledger.failShot(key.run, 1, 'again')).toBe(false);
      expect(await ledger.shot(key.run, 1)).toMatchObject({
        outcome: 'failed',
        reason: 'no checkpoint "x"',
        attempts: [{ state: 'dropped' }],
      });
      expect(await expectTrueCounters(key.run)).toMatchObject({
        failed: 1,
        due: 0,
        generated: 0,
        attempts: 0,
      });
    });

    it.each(['due', 'generated'] as const)('takes nothing more, though its attempt was %s', async (state) => {
      const key = keyOf(await newRun());
      if (state === 'generated') await generated(key);
      await ledger.failShot(key.run, 1, 'broken');
      const before = await ledger.shot(key.run, 1);
      expect(await ledger.recordSending(key, 'gpu', 'id')).toBe(false);
      expect(await ledger.recordServerError(key, 'late', true)).toBe(0);
      expect(await ledger.recordCandidate(key, aCandidate)).toBe(false);
      expect(await ledger.recordLostCandidate(key)).toBe(false);
      expect(await ledger.recordVerdict(key, aVerdict('accept'), aModel, accept, 'a.png')).toBe(false);
      expect(await ledger.recordStep(key, accept, 'a.png')).toBe(false);
      expect(await ledger.shot(key.run, 1)).toEqual(before);
      await expectTrueCounters(key.run);
    });
  });

  it('counts what lies in review: by its verdict, or kept so', async () => {
    const run = await newRun(4);
    const exhausted: Step = { kind: 'end', outcome: 'exhausted', keep: 1, review: true };
    const end = async (
      shot: number,
      decision: 'accept' | 'review' | 'reject',
      step: Step,
      published?: string,
    ) => {
      await generated(keyOf(run, shot));
      await ledger.recordVerdict(keyOf(run, shot), aVerdict(decision), aModel, step, published);
    };
    await end(1, 'accept', accept, 'review-of-hands.png');
    await end(2, 'reject', exhausted, 'review/1/2.png');
    await end(3, 'review', exhausted, 'review/1/3.png');
    await end(4, 'review', retry);
    expect(await ledger.inReview(run)).toBe(3);
  });

  it('says what servers made, and how long that took', async () => {
    const run = await newRun(3);
    for (const [shot, backend, seconds] of [
      [1, 'gpu1', 2],
      [2, 'gpu1', 4],
      [3, 'gpu2', 5],
    ] as const) {
      await ledger.recordSending(keyOf(run, shot), backend, 'id');
      if (shot < 3) await ledger.recordCandidate(keyOf(run, shot), { ...aCandidate, seconds });
    }
    expect(await ledger.served(run)).toEqual([{ backend: 'gpu1', images: 2, seconds: 3 }]);
  });

  describe('a run that is over', () => {
    /** Shot 1 accepted, 2 exhausted with attempt 1 kept, 3 failed before it had an image. */
    const over = async () => {
      const run = await newRun(3);
      await generated(keyOf(run, 1));
      await ledger.recordVerdict(keyOf(run, 1), aVerdict('accept'), aModel, accept, '1.png');
      await generated(keyOf(run, 2));
      const exhausted: Step = { kind: 'end', outcome: 'exhausted', keep: 1 };
      await ledger.recordVerdict(keyOf(run, 2), aVerdict('reject'), aModel, exhausted, '2.png');
      await ledger.failShot(run, 3, 'no server');
      return run;
    };
    const progressOf = async (run: string) =>
      expect(await ledger.progress(run)).toMatchObject(countedProgress(await allShots(ledger, run)));

    it('is opened again for the shots that are asked for, once, with an attempt more each', async () => {
      const run = await over();
      const again = { outcomes: ['exhausted', 'failed'] as const, attempts: 2, files: [] };
      const ask = (change: object = {}) =>
        ledger.retryShots(run, { ...again, outcomes: [...again.outcomes], ...change });
      expect(await ask()).toBe(0);
      await ledger.moveRun(run, 'completed');
      expect(await ask({ shots: [1, 7] })).toBe(0);
      expect(await ledger.run(run)).toMatchObject({ state: 'completed' });
      const aFile = { path: '/new', sha256: 'ab', bytes: 2, modifiedMs: 1 };
      const asked = await Promise.all([1, 2].map(() => ask({ pipeline: { name: 'new' }, files: [aFile] })));
      expect(asked.sort()).toEqual([0, 2]);
      await progressOf(run);
      const opened = await ledger.run(run);
      expect(opened).toMatchObject({ state: 'running', pipeline: { name: 'new' } });
      expect(opened?.finishedAt).toBeUndefined();
      expect(await ledger.file(run, '/new')).toEqual(aFile);
      const [first, second, third] = await allShots(ledger, run);
      expect(first).toMatchObject({ outcome: 'accepted', attempts: [{ number: 1 }] });
      for (const shot of [second!, third!]) {
        expect(shot.outcome ?? shot.reason).toBeUndefined();
        expect(shot.round).toEqual({ after: 1, attempts: 2 });
        const seed = seedFor(aRun('').seed, shot.index, 2);
        expect(shot.attempts[1]).toMatchObject({ number: 2, state: 'due', request: aRequest({ seed }) });
      }
      expect(second).toMatchObject({ kept: 1, published: '2.png' });
      await generated(keyOf(run, 2, 2));
      await ledger.recordVerdict(keyOf(run, 2, 2), aVerdict('reject'), aModel, retry);
      expect(await ledger.shot(run, 2)).toMatchObject({ kept: 1, published: '2.png' });
      await generated(keyOf(run, 2, 3));
      await ledger.recordVerdict(
        keyOf(run, 2, 3),
        aVerdict('accept'),
        aModel,
        { ...accept, keep: 3 },
        'b.png',
      );
      await ledger.failShot(run, 3, 'still none');
      expect(await ledger.shot(run, 2)).toMatchObject({ kept: 3, published: 'b.png' });
      await progressOf(run);
      await ledger.moveRun(run, 'completed');
      expect(await ask()).toBe(1);
      expect(await ledger.shot(run, 3)).toMatchObject({ round: { after: 2, attempts: 2 } });
    });

    it('makes a lost image again as it was', async () => {
      const run = await over();
      await ledger.moveRun(run, 'completed');
      const again = { outcomes: ['accepted' as const], shots: [1], attempts: 1, files: [], isLost: true };
      expect(await ledger.retryShots(run, again)).toBe(1);
      const shot = await ledger.shot(run, 1);
      expect(shot?.attempts[1]?.request).toEqual(aRequest({ seed: aCandidate.seed }));
      expect(shot?.kept ?? shot?.published).toBeUndefined();
      await progressOf(run);
    });

    it('may have more shots to ask for than fit into one page', async () => {
      const run = await newRun(1201);
      await ledger.cancelRun(run);
      expect(await ledger.retryShots(run, { outcomes: ['cancelled'], attempts: 1, files: [] })).toBe(1201);
      await progressOf(run);
    });
  });

  describe('moving a run', () => {
    const moves = ['running', 'paused', 'completed'] as const;

    it('goes between running and paused', async () => {
      const run = await newRun();
      expect(await ledger.moveRun(run, 'running')).toBe(false);
      expect(await ledger.moveRun(run, 'paused')).toBe(true);
      expect(await ledger.moveRun(run, 'paused')).toBe(false);
      expect(await ledger.moveRun(run, 'running')).toBe(true);
      expect((await ledger.run(run))?.state).toBe('running');
      expect(await ledger.moveRun('none-1', 'paused')).toBe(false);
    });

    it('completes only a run without open shots, and then goes nowhere', async () => {
      const run = await newRun();
      expect(await ledger.moveRun(run, 'completed')).toBe(false);
      await ledger.failShot(run, 1, 'broken');
      expect(await ledger.moveRun(run, 'completed')).toBe(true);
      expect(await ledger.run(run)).toMatchObject({
        state: 'completed',
        finishedAt: expect.any(Date) as Date,
      });
      for (const to of moves) expect(await ledger.moveRun(run, to)).toBe(false);
      expect(await ledger.cancelRun(run)).toEqual([]);
      expect((await ledger.run(run))?.state).toBe('completed');
    });

    it('cancels what is open, says who may still be at work, and says it again', async () => {
      const run = await newRun(4);
      await generated(keyOf(run, 1));
      await ledger.recordVerdict(keyOf(run, 1), aVerdict('accept'), aModel, accept, 'a.png');
      await ledger.recordSending(keyOf(run, 2), 'gpu2', 'id2');
      await generated(keyOf(run, 3));
      const atWork = [{ backend: 'gpu2', remoteId: 'id2' }];
      expect(await ledger.cancelRun(run)).toEqual(atWork);
      expect(await ledger.cancelRun(run)).toEqual(atWork);
      const outcomes = (await allShots(ledger, run)).map(({ outcome }) => outcome);
      expect(outcomes).toEqual(['accepted', 'cancelled', 'cancelled', 'cancelled']);
      expect(await expectTrueCounters(run)).toMatchObject({
        state: 'cancelled',
        accepted: 1,
        cancelled: 3,
        due: 0,
      });
      expect(await ledger.openShots(run)).toBe(0);
      for (const to of moves) expect(await ledger.moveRun(run, to)).toBe(false);
    });

    it('cancels cleanly while verdicts are coming in', async () => {
      const run = await newRun(40);
      const keys = Array.from({ length: 40 }, (_, place) => keyOf(run, place + 1));
      for (const key of keys) await generated(key);
      await Promise.all([
        ...keys.slice(0, 20).map((key) => ledger.recordVerdict(key, aVerdict('reject'), aModel, retry)),
        ledger.cancelRun(run),
        ...keys.slice(20).map((key) => ledger.recordVerdict(key, aVerdict('accept'), aModel, accept)),
        ...keys.map((key) => ledger.failShot(run, key.shot, 'broken')),
      ]);
      expect(await expectTrueCounters(run)).toMatchObject({ state: 'cancelled', due: 0, generated: 0 });
      expect(await ledger.openShots(run)).toBe(0);
    });
  });

  it('keeps its invariants in any sequence of calls', { timeout: 240_000 }, async () => {
    const rejected = aVerdict('reject');
    const calls: ((key: AttemptKey) => Promise<unknown>)[] = [
      (key) => ledger.recordSending(key, 'gpu', 'id'),
      (key) => ledger.recordServerError(key, 'busy', false),
      (key) => ledger.recordCandidate(key, aCandidate),
      (key) => ledger.recordCandidate(key, aCandidate),
      (key) => ledger.recordLostCandidate(key),
      (key) => ledger.recordVerdict(key, rejected, aModel, retry),
      (key) => ledger.recordVerdict(key, rejected, aModel, retry),
      (key) => ledger.recordVerdict(key, rejected, aModel, wait),
      (key) => ledger.recordVerdict(key, aVerdict('accept'), aModel, accept, 'a.png'),
      (key) => ledger.recordAgain(key, key.number),
      (key) => ledger.recordStep(key, retry),
      (key) => ledger.recordStep(key, { kind: 'end', outcome: 'exhausted', keep: 1 }, 'b.png'),
      (key) => ledger.failShot(key.run, key.shot, 'broken'),
      (key) => ledger.moveRun(key.run, 'paused'),
      (key) => ledger.moveRun(key.run, 'completed'),
    ];
    const place = (count: number) => fc.nat({ max: count - 1 });
    // Each call is made on the last attempt of a shot, or one before it, as a late job would.
    const sequence = fc.array(fc.tuple(place(calls.length), place(3), fc.boolean()), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(sequence, fc.boolean(), async (steps, cancel) => {
        const run = await newRun(3);
        for (const [call, shot, late] of steps) {
          const { attempts } = (await ledger.shot(run, shot + 1))!;
          const number = Math.max(1, attempts.length - (late ? 1 : 0));
          await calls[call]!(keyOf(run, shot + 1, number));
        }
        if (cancel) await ledger.cancelRun(run);
        const progress = await expectTrueCounters(run);
        const shots = await allShots(ledger, run);
        const waits = new Set((await ledger.waitingShots(run, 'last', 9)).map(({ shot }) => shot));
        for (const { index, attempts, outcome } of shots) {
          expect(attempts.map(({ number }) => number)).toEqual(attempts.map((_, order) => order + 1));
          const open = attempts.filter(({ state }) => state === 'due' || state === 'generated').length;
          // What is open has exactly one thing to wait for: an attempt, or the budget.
          expect(open + Number(waits.has(index))).toBe(outcome === undefined ? 1 : 0);
        }
        const stillOpen = shots.filter(({ outcome }) => outcome === undefined).length;
        expect(await ledger.openShots(run)).toBe(stillOpen);
        if (progress.state === 'completed' || progress.state === 'cancelled') expect(stillOpen).toBe(0);
      }),
      { numRuns: 25 },
    );
  });

  it('gives a path to one shot alone, whatever its capital letters, and says which are called otherwise', async () => {
    const run = await newRun(3);
    expect(await ledger.claimPath(run, 1, 'a-1.png', 'a-1.png')).toBe(true);
    expect(await ledger.claimPath(run, 1, 'a-1.png', 'a-1.png')).toBe(true);
    for (const path of ['a-1.png', 'A-1.PNG']) expect(await ledger.claimPath(run, 2, path, path)).toBe(false);
    expect(await ledger.claimPath(run, 2, 'a-1~2.png', 'a-1.png')).toBe(true);
    expect(await ledger.claimPath(run, 2, 'a-1~2-1.png', 'a-1.png')).toBe(true);
    expect(await ledger.claimPath(run, 1, 'caf\u00e9.png', 'x')).toBe(true);
    expect(await ledger.claimPath(run, 3, 'CAFE\u0301.png', 'x')).toBe(false);
    expect(await ledger.claimPath(await newRun(), 1, 'A-1.png', 'A-1.png')).toBe(true);
    expect((await ledger.renamedPaths(run)).filter(({ shot }) => shot === 2)).toEqual([
      { shot: 2, wanted: 'a-1.png', path: 'a-1~2.png' },
      { shot: 2, wanted: 'a-1.png', path: 'a-1~2-1.png' },
    ]);
  });

  it('gives a path that many want at the same moment to one of them', async () => {
    const run = await newRun();
    const shots = Array.from({ length: 20 }, (_, index) => index + 1);
    const granted = await Promise.all(shots.map((shot) => ledger.claimPath(run, shot, 'a.png', 'a.png')));
    expect(granted.filter(Boolean)).toHaveLength(1);
  });

  it('has the tables that every statement of the code believes in', async () => {
    const client = await store.pool.connect();
    for (const { name, text } of [...Object.values(reads), ...Object.values(statements)]) {
      await expect(client.query(`prepare "test" as ${text}`), name).resolves.toBeDefined();
      await client.query('deallocate "test"');
    }
    client.release();
  });

  it('is brought up to date once, however many processes open it at the same moment', async () => {
    await Promise.all([migrate(store.pool), migrate(store.pool), migrate(store.pool)]);
    const { rows } = await store.pool.query<{ number: number }>('select number from reroll.migrations');
    expect(rows.map(({ number }) => number)).toEqual(migrations.map((_, index) => index + 1));
  });

  it('takes roles, one number after another, and gives them back', async () => {
    const first = (await ledger.takeLease('run/a'))!;
    const again = (await ledger.takeLease('run/a'))!;
    expect(again.number).toBe(first.number + 1);
    await ledger.takeLease('run/ab');
    const held = async () => (await ledger.leases('run/a')).map(({ name, held }) => [name, held]);
    expect(await held()).toEqual([
      ['run/a', true],
      ['run/ab', true],
    ]);
    await ledger.releaseLease(again);
    expect(await held()).toEqual([
      ['run/a', false],
      ['run/ab', true],
    ]);
    expect((await ledger.takeLease('run/a'))!.number).toBe(again.number + 1);
  });

  /** Every move that a lease guards, on an attempt that is in the state for it, and what it answers where it counts. */
  const guardedMoves: { [Move in GuardedMove]: (ledger: Ledger, key: AttemptKey) => Promise<unknown> } = {
    recordSending: (under, key) => under.recordSending(key, 'gpu', 'id'),
    recordServerError: async (under, key) => (await under.recordServerError(key, 'hot', false)) > 0,
    dropRepair: (under, key) => under.dropRepair(key),
    recordCandidate: (under, key) => under.recordCandidate(key, aCandidate),
    recordLostCandidate: (under, key) => under.recordLostCandidate(key),
    recordVerdict: (under, key) => under.recordVerdict(key, aVerdict('accept'), aModel, accept),
    recordAgain: (under, key) => under.recordAgain(key, key.number),
    recordStep: (under, key) => under.recordStep(key, retry),
    failShot: (under, { run, shot }) => under.failShot(run, shot, 'no'),
    moveRun: (under, { run }) => under.moveRun(run, 'paused'),
  };
  const readied: { [Move in GuardedMove]?: (key: AttemptKey) => Promise<AttemptKey> } = {
    async dropRepair(key) {
      await generated(key);
      const repair = { with: 'adetailer' } as const;
      await ledger.recordVerdict(key, aVerdict('reject'), aModel, { ...retry, repair });
      return { ...key, number: 2 };
    },
    recordLostCandidate: async (key) => generated(key).then(() => key),
    recordVerdict: async (key) => generated(key).then(() => key),
    async recordAgain(key) {
      await generated(key);
      await ledger.recordVerdict(key, aVerdict('reject'), aModel, wait);
      return key;
    },
    async recordStep(key) {
      await generated(key);
      await ledger.recordVerdict(key, aVerdict('reject'), aModel, wait);
      return key;
    },
  };

  it.each(Object.keys(guardedMoves) as GuardedMove[])('guards %s by its lease', async (move) => {
    const fresh = keyOf(await newRun());
    const key = (await readied[move]?.(fresh)) ?? fresh;
    const lost = (await ledger.takeLease(`run/${key.run}`))!;
    const held = (await ledger.takeLease(`run/${key.run}`))!;
    const before = await allShots(ledger, key.run);
    expect(await guardedMoves[move](ledger.under(lost), key)).toBe(false);
    expect(await allShots(ledger, key.run)).toEqual(before);
    await expectTrueCounters(key.run);
    expect(await guardedMoves[move](ledger.under(held), key)).toBe(true);
  });

  describe.runIf(programs !== undefined)('a role among several processes', () => {
    const leaseMs = 1_000;
    const holder = async (name: string, run: string) => {
      const file = resolve('test/support/lease-holder.ts');
      const home = await mkdtemp(join(tmpdir(), 'reroll-holder-'));
      const args = [home, url ?? '', String(leaseMs), name, run];
      const child = fork(file, args, { execArgv: ['--import', 'tsx'] });
      const hear = async () => ((await once(child, 'message')) as [unknown])[0];
      const number = (await hear()) as number;
      const end = async () => {
        child.kill('SIGKILL');
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
        await rm(home, { recursive: true });
      };
      return { child, number, hear, end };
    };
    /** Asks again and again until the role is free. */
    const takeWhenFree = async (name: string) => {
      for (;;) {
        const lease = await ledger.takeLease(name);
        if (lease) return lease;
        await new Promise((resolve) => setImmediate(resolve));
      }
    };

    it('is its holder’s, also over more than the lease time', async () => {
      const run = await newRun();
      const { number, end } = await holder(`run/${run}`, run);
      const until = Date.now() + 2 * leaseMs;
      while (Date.now() < until) expect(await ledger.takeLease(`run/${run}`)).toBeUndefined();
      expect(await ledger.leases(`run/${run}`)).toMatchObject([{ number, held: true }]);
      await end();
    });

    it('is free at once where its holder is killed', async () => {
      const run = await newRun();
      const { number, end } = await holder(`run/${run}`, run);
      await end();
      expect(await takeWhenFree(`run/${run}`)).toEqual({ name: `run/${run}`, number: number + 1 });
    });

    it('is free after the lease time where its holder is stopped, which then changes nothing any more', async () => {
      const run = await newRun();
      const { child, number, hear, end } = await holder(`run/${run}`, run);
      child.send('move');
      expect(await hear()).toBe(true);
      child.kill('SIGSTOP');
      const taken = await takeWhenFree(`run/${run}`);
      expect(taken.number).toBe(number + 1);
      child.send('move');
      child.kill('SIGCONT');
      expect(await hear()).toBe(false);
      await end();
      await ledger.releaseLease(taken);
    });

    it('is told of where another has taken it', async () => {
      const home = await mkdtemp(join(tmpdir(), 'reroll-other-'));
      const other = await openLedger({ home, databaseUrl: url ?? '', leaseMs });
      const lease = (await other.ledger.takeLease('agent/x'))!;
      const lost = new Promise((resolve) => other.ledger.onLost(resolve));
      // As if its time had run out.
      await store.pool.query(`update reroll.leases set expires_at = now() where name = 'agent/x'`);
      await takeWhenFree('agent/x');
      expect(await lost).toEqual(lease);
      await other.close();
      await rm(home, { recursive: true });
    });
  });

  it('keeps events in order, without gaps, by run', async () => {
    const [one, other] = [await newRun(), await newRun()];
    expect(await ledger.appendEvents(one, [])).toBe(0);
    const event = (code: string) => ({ code, data: { of: code } });
    const appends = Array.from({ length: 10 }, (_, place) =>
      ledger.appendEvents(one, [event(`a${place}`), event(`b${place}`)]),
    );
    expect((await Promise.all(appends)).sort((a, b) => a - b)).toEqual(
      appends.map((_, place) => 2 * place + 2),
    );
    await ledger.appendEvents(other, [event('c')]);
    const found = await ledger.events(one, 3, 5);
    expect(found.map(({ sequence }) => sequence)).toEqual([4, 5, 6, 7, 8]);
    expect(found[0]).toMatchObject({ run: one, at: expect.any(Date) as Date, data: { of: found[0]!.code } });
    expect(await ledger.events(other, 0, 10)).toMatchObject([{ sequence: 1, code: 'c' }]);
  });

  it('lets the oldest events of a long run go', { timeout: 60_000 }, async () => {
    const run = await newRun();
    const many = Array.from({ length: 5_000 }, () => ({ code: 'x', data: null }));
    for (let page = 0; page < 12; page++) await ledger.appendEvents(run, many);
    expect((await ledger.events(run, 0, 1))[0]?.sequence).toBe(10_001);
  });

  it('lists the runs that are not over, oldest first', async () => {
    const [running, paused, over] = [await newRun(), await newRun(), await newRun()];
    await ledger.moveRun(paused, 'paused');
    await ledger.cancelRun(over);
    const ids = (await ledger.openRuns()).map(({ id }) => id);
    expect(ids.filter((id) => [running, paused, over].includes(id))).toEqual([running, paused]);
  });

  it('refuses a database of a newer version', async () => {
    await store.pool.query(`insert into reroll.migrations (number, name) values (999, 'future')`);
    try {
      await expect(migrate(store.pool)).rejects.toThrow(ConfigError);
    } finally {
      await store.pool.query('delete from reroll.migrations where number = 999');
    }
  });

  it('loses no acknowledged write when its process is killed', { timeout: 120_000 }, async () => {
    const home = await mkdtemp(join(tmpdir(), 'reroll-ledger-'));
    try {
      const child = fork(resolve('test/support/ledger-writer.ts'), [home, url ?? ''], {
        execArgv: ['--import', 'tsx'],
      });
      const written: AttemptKey[] = [];
      child.on('message', (key: AttemptKey) => {
        written.push(key);
        if (written.length === 60) child.kill('SIGKILL');
      });
      await once(child, 'exit');
      expect(child.signalCode).toBe('SIGKILL');

      const reopened = await openLedger({ home, ...(url !== undefined && { databaseUrl: url }) });
      for (const key of written) {
        expect(await reopened.ledger.shot(key.run, key.shot)).toMatchObject({ outcome: 'accepted' });
      }
      const { run } = written[0]!;
      expect(await reopened.ledger.progress(run)).toMatchObject(
        countedProgress(await allShots(reopened.ledger, run)),
      );
      await reopened.close();
    } finally {
      await rm(home, { recursive: true });
    }
  });
});
