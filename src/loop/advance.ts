import type { BudgetAnswer } from './budget.js';
import { planAttempt } from './ladder.js';
import { seedFor } from './seeds.js';
import type { ImageRequest, RetryPolicy, Round, Step, Verdict } from './types.js';

/** A shot as it stands after a verdict. */
export interface Standpoint {
  runSeed: number;
  shot: {
    index: number;
    request: ImageRequest;
    /** Set where it was asked for again. */
    round?: Round;
    /** The attempt that was kept before that. */
    kept?: number;
  };
  /** In the order of the shot's attempts, undefined for those without; the last one has just been given. */
  verdicts: readonly (Verdict | undefined)[];
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
  const { after, attempts } = shot.round ?? { after: 0, attempts: policy.attempts };
  const number = verdicts.length;
  if (verdicts.at(-1)?.decision === 'accept') return { kind: 'end', outcome: 'accepted', keep: number };
  if (number >= after + attempts || budget === 'refuse') {
    // Candidates of earlier rounds are gone, but for the one that was kept.
    return exhaust(
      policy,
      verdicts.map((verdict, index) => (index >= after || index + 1 === shot.kept ? verdict : undefined)),
    );
  }
  if (budget === 'wait') return { kind: 'wait' };
  const plan = planAttempt(
    firstOfRound(runSeed, shot, after),
    policy.ladder,
    number + 1 - after,
    (attempt) => seedFor(runSeed, shot.index, after + attempt),
    unchanged.map((attempt) => attempt - after),
  );
  return { kind: 'retry', ...plan };
}

/** The request that a round starts from: the shot's own, with a seed that it has not had. */
export function firstOfRound(
  runSeed: number,
  { index, request }: Pick<Standpoint['shot'], 'index' | 'request'>,
  after: number,
): ImageRequest {
  return after === 0 ? request : { ...request, seed: seedFor(runSeed, index, after + 1) };
}

function exhaust(policy: RetryPolicy, verdicts: readonly (Verdict | undefined)[]): Step {
  if (policy.on_exhausted === 'discard') return { kind: 'end', outcome: 'exhausted' };
  const keep = bestAttempt(verdicts);
  return policy.on_exhausted === 'review'
    ? { kind: 'end', outcome: 'exhausted', keep, review: true }
    : { kind: 'end', outcome: 'exhausted', keep };
}

/** The attempt with the lowest rejected-label probability; the earlier of two equals. */
export function bestAttempt(verdicts: readonly (Verdict | undefined)[]): number {
  let best = -1;
  verdicts.forEach((verdict, index) => {
    if (verdict && verdict.rejected < (verdicts[best]?.rejected ?? Infinity)) best = index;
  });
  return best + 1;
}
