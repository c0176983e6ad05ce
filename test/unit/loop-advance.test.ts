import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  advance,
  bestAttempt,
  firstOfRound,
  reachesAll,
  seedFor,
  shareBudget,
  type Decision,
  type ImageRequest,
  type RetryPolicy,
  type Standing,
  type Step,
  type Verdict,
} from '../../src/loop/index.js';

const request: ImageRequest = {
  prompt: 'a hand',
  negative_prompt: '',
  seed: 1,
  width: 512,
  height: 512,
  steps: 20,
  cfg_scale: 7,
};
const policy = (changes: Partial<RetryPolicy> = {}): RetryPolicy => ({
  attempts: 3,
  ladder: [{ kind: 'new_seed' }],
  on_exhausted: 'keep_best',
  ...changes,
});
const verdict = (decision: Decision, rejected = 0.8): Verdict => ({ decision, rejected, scores: [] });
const step = (
  verdicts: Verdict[],
  changes?: Partial<RetryPolicy>,
  budget: 'grant' | 'wait' | 'refuse' = 'grant',
) => advance(policy(changes), { runSeed: 5, shot: { index: 1, request }, verdicts, unchanged: [], budget });

describe('advance in a later round', () => {
  const ladder: RetryPolicy['ladder'] = [
    { kind: 'adjust', adjust: { steps: '+10' } },
    { kind: 'repair', repair: { with: 'adetailer' } },
  ];
  const later = (verdicts: (Verdict | undefined)[], shot: object) =>
    advance(policy({ ladder }), {
      runSeed: 5,
      shot: { index: 1, request, ...shot },
      verdicts,
      unchanged: [],
      budget: 'grant',
    });

  it('climbs the ladder anew, with numbers and seeds that go on', () => {
    const before = [verdict('reject'), undefined, verdict('reject')];
    const shot = { round: { after: 2, attempts: 3 } };
    const second = later(before, shot);
    expect(second).toEqual({ kind: 'retry', request: { ...request, steps: 30, seed: seedFor(5, 1, 3) } });
    const third = later([...before, verdict('reject')], shot);
    expect(third).toMatchObject({ repair: { with: 'adetailer' }, request: { seed: seedFor(5, 1, 5) } });
    expect(later([...before, verdict('reject'), verdict('reject')], shot)).toMatchObject({ kind: 'end' });
  });

  it('keeps the best of what it has: its own, and what was kept before', () => {
    const verdicts = [verdict('reject', 0.1), verdict('reject', 0.2), undefined, verdict('reject', 0.5)];
    const round = { after: 3, attempts: 1 };
    expect(later(verdicts, { round })).toMatchObject({ outcome: 'exhausted', keep: 4 });
    expect(later(verdicts, { round, kept: 2 })).toMatchObject({ outcome: 'exhausted', keep: 2 });
  });

  it('uses no seed of an earlier round, whatever the ladders', () => {
    const rung = fc.constantFrom<RetryPolicy['ladder'][number]>(
      { kind: 'new_seed' },
      { kind: 'adjust', adjust: { steps: '+10' } },
      { kind: 'repair', repair: { with: 'adetailer' } },
    );
    const aRound = fc.record({
      attempts: fc.integer({ min: 1, max: 5 }),
      ladder: fc.array(rung, { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(
        fc.nat(2 ** 32 - 1),
        fc.array(aRound, { minLength: 2, maxLength: 4 }),
        (runSeed, rounds) => {
          const verdicts: Verdict[] = [];
          const seen = new Set<number>();
          for (const { attempts, ladder } of rounds) {
            const after = verdicts.length;
            const shot = { index: 1, request, ...(after > 0 && { round: { after, attempts } }) };
            const seeds = [firstOfRound(runSeed, shot, after).seed];
            for (;;) {
              verdicts.push(verdict('reject'));
              const step = advance(policy({ attempts, ladder }), {
                runSeed,
                shot,
                verdicts,
                unchanged: [],
                budget: 'grant',
              });
              if (step.kind !== 'retry') break;
              seeds.push(step.request.seed);
            }
            expect(seeds).toHaveLength(attempts);
            for (const seed of seeds) expect(seen).not.toContain(seed);
            for (const seed of seeds) seen.add(seed);
          }
        },
      ),
    );
  });
});

describe('advance', () => {
  it('ends a shot with its accepted attempt', () => {
    expect(step([verdict('reject'), verdict('accept')])).toEqual({
      kind: 'end',
      outcome: 'accepted',
      keep: 2,
    });
  });

  it('generates again after a rejection, and after a candidate that only a person can judge', () => {
    expect(step([verdict('reject')]).kind).toBe('retry');
    expect(step([verdict('review')]).kind).toBe('retry');
  });

  it('keeps the attempt with the lowest rejected probability when the budget is spent', () => {
    const verdicts = [verdict('reject', 0.9), verdict('reject', 0.6), verdict('reject', 0.6)];
    expect(bestAttempt(verdicts)).toBe(2);
    expect(step(verdicts)).toEqual({ kind: 'end', outcome: 'exhausted', keep: 2 });
    expect(step(verdicts, { on_exhausted: 'discard' })).toEqual({ kind: 'end', outcome: 'exhausted' });
    expect(step(verdicts, { on_exhausted: 'review' })).toEqual({
      kind: 'end',
      outcome: 'exhausted',
      keep: 2,
      review: true,
    });
  });

  it("waits or ends by the answer of the run's budget", () => {
    expect(step([verdict('reject')], {}, 'wait')).toEqual({ kind: 'wait' });
    expect(step([verdict('reject')], {}, 'refuse')).toMatchObject({ kind: 'end', outcome: 'exhausted' });
    expect(step([verdict('accept')], {}, 'refuse')).toMatchObject({ outcome: 'accepted' });
  });

  it('repairs again, unless the last repair changed nothing', () => {
    const verdicts = [verdict('reject'), verdict('reject')];
    const standpoint = { runSeed: 5, shot: { index: 1, request }, verdicts, budget: 'grant' } as const;
    const repairing = policy({ ladder: [{ kind: 'repair', repair: { with: 'adetailer' } }] });
    expect(advance(repairing, { ...standpoint, unchanged: [] })).toHaveProperty('repair');
    expect(advance(repairing, { ...standpoint, unchanged: [2] })).not.toHaveProperty('repair');
  });

  it('is the same step for the same standpoint', () => {
    expect(step([verdict('reject')])).toEqual(step([verdict('reject')]));
  });
});

/** Runs shots to their end in an arbitrary order, as servers would answer. */
function simulate(decisions: Decision[][], retry: RetryPolicy, order: () => number) {
  const shots = decisions.map(() => ({
    attempts: 1,
    verdicts: [] as Verdict[],
    end: undefined as Step | undefined,
  }));
  const pending = shots.map((_, index) => index);
  const waiting = new Set<number>();
  let steps = 0;
  const budget = (index: number, number: number) => {
    if (retry.run_attempts === undefined || reachesAll(number, shots.length, retry.run_attempts))
      return 'grant';
    const standings: Standing[] = shots.map((shot, other) => ({
      ended: shot.end !== undefined,
      attempts: shot.attempts,
      before: other < index ? 1 : 0,
      after: other < index ? 0 : 1,
    }));
    return shareBudget(number, retry.attempts, retry.run_attempts, standings);
  };
  const decide = (index: number) => {
    const shot = shots[index]!;
    const next = advance(retry, {
      runSeed: 1,
      shot: { index: index + 1, request },
      verdicts: shot.verdicts,
      unchanged: [],
      budget: budget(index, shot.verdicts.length + 1),
    });
    waiting.delete(index);
    if (next.kind === 'end') shot.end = next;
    else if (next.kind === 'wait') waiting.add(index);
    else {
      shot.attempts++;
      pending.push(index);
    }
  };
  while (pending.length > 0) {
    if (++steps > 10_000) throw new Error('it does not end');
    const [index] = pending.splice(Math.floor(order() * pending.length), 1);
    const shot = shots[index!]!;
    const decision = decisions[index!]![shot.verdicts.length] ?? 'reject';
    shot.verdicts.push(verdict(decision, decision === 'accept' ? 0.1 : 0.9 - shot.verdicts.length / 100));
    decide(index!);
    for (const other of [...waiting]) decide(other);
  }
  return shots;
}

const runs = fc.record({
  decisions: fc.array(
    fc.array(fc.constantFrom<Decision>('accept', 'reject', 'review'), { minLength: 6, maxLength: 6 }),
    {
      minLength: 1,
      maxLength: 8,
    },
  ),
  attempts: fc.integer({ min: 1, max: 6 }),
  extra: fc.option(fc.integer({ min: 0, max: 20 })),
  on_exhausted: fc.constantFrom('keep_best', 'discard', 'review'),
  orders: fc.tuple(
    fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
    fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
  ),
});

describe('a run', () => {
  it('always ends, keeps every budget, publishes nothing rejected but keep_best, and ends the same in any order', () => {
    fc.assert(
      fc.property(runs, ({ decisions, attempts, extra, on_exhausted, orders }) => {
        const retry = policy({
          attempts,
          on_exhausted: on_exhausted,
          ...(extra !== null && { run_attempts: decisions.length + extra }),
        });
        const [shots, again] = orders.map((order) =>
          simulate(decisions, retry, () => order.next().value as number),
        );
        for (const shot of shots!) {
          expect(shot.end?.kind).toBe('end');
          expect(shot.verdicts.length).toBeLessThanOrEqual(attempts);
          const end = shot.end as Extract<Step, { kind: 'end' }>;
          if (end.outcome === 'accepted') expect(shot.verdicts[end.keep! - 1]?.decision).toBe('accept');
          else if (end.keep !== undefined) expect(on_exhausted).not.toBe('discard');
        }
        const used = shots!.reduce((total, shot) => total + shot.verdicts.length, 0);
        if (retry.run_attempts !== undefined) expect(used).toBeLessThanOrEqual(retry.run_attempts);
        expect(again!.map(({ end, verdicts }) => [end, verdicts.length])).toEqual(
          shots!.map(({ end, verdicts }) => [end, verdicts.length]),
        );
      }),
      { numRuns: 500 },
    );
  });

  it("spends the run's whole budget before it gives up a shot", () => {
    const rejected = Array.from({ length: 4 }, () => Array<Decision>(6).fill('reject'));
    const shots = simulate(rejected, policy({ attempts: 6, run_attempts: 10 }), () => 0);
    expect(shots.map(({ verdicts }) => verdicts.length)).toEqual([3, 3, 2, 2]);
  });
});
