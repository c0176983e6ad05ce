import type { BudgetAnswer } from './budget.js';
import { planAttempt } from './ladder.js';
import { seedFor } from './seeds.js';
import type { ImageRequest, RetryPolicy, Step, Verdict } from './types.js';

/** A shot as it stands after a verdict. */
export interface Standpoint {
  runSeed: number;
  shot: { index: number; request: ImageRequest };
  /** The shot's verdicts in the order of its attempts; the last one has just been given. */
  verdicts: readonly Verdict[];
  /** The attempts, by number, whose repair gave the image back as it was. */
  unchanged: readonly number[];
  /** Whether the run's budget pays for one more attempt of this shot. */
  budget: BudgetAnswer;
}

/**
 * What happens to a shot after a verdict. Pure: the same standpoint always gives the same step, so a step
 * that is repeated after a crash changes nothing.
 */
export function advance(policy: RetryPolicy, standpoint: Standpoint): Step {
  const { runSeed, shot, verdicts, unchanged, budget } = standpoint;
  const number = verdicts.length;
  if (verdicts.at(-1)?.decision === 'accept') return { kind: 'end', outcome: 'accepted', keep: number };
  if (number >= policy.attempts || budget === 'refuse') return exhaust(policy, verdicts);
  if (budget === 'wait') return { kind: 'wait' };
  const plan = planAttempt(
    shot.request,
    policy.ladder,
    number + 1,
    (attempt) => seedFor(runSeed, shot.index, attempt),
    unchanged,
  );
  return { kind: 'retry', ...plan };
}

function exhaust(policy: RetryPolicy, verdicts: readonly Verdict[]): Step {
  if (policy.on_exhausted === 'discard') return { kind: 'end', outcome: 'exhausted' };
  const keep = bestAttempt(verdicts);
  return policy.on_exhausted === 'review'
    ? { kind: 'end', outcome: 'exhausted', keep, review: true }
    : { kind: 'end', outcome: 'exhausted', keep };
}

/** The attempt with the lowest rejected-label probability; the earlier of two equals. */
export function bestAttempt(verdicts: readonly Verdict[]): number {
  let best = 0;
  verdicts.forEach((verdict, index) => {
    if (verdict.rejected < (verdicts[best]?.rejected ?? Infinity)) best = index;
  });
  return best + 1;
}
