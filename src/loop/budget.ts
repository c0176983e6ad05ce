/**
 * The run's budget, shared out so that the same run always ends the same, in whatever order servers answer.
 *
 * Attempts have one canonical order: all first attempts by shot, then all second attempts by shot, and so on.
 * The budget pays for the first `runAttempts` of those that are really made. An attempt may start as soon as
 * it is certain that fewer than that come before it; it is refused as soon as it is certain that as many do;
 * between the two its shot waits for others to end.
 */
export type BudgetAnswer = 'grant' | 'wait' | 'refuse';

/** How many shots are equally far. */
export interface Standing {
  ended: boolean;
  /** Attempts that exist for each of these shots. */
  attempts: number;
  /** How many such shots have a smaller index than the shot that asks. */
  before: number;
  /** How many have its index or a larger one. */
  after: number;
}

/**
 * @param number the attempt that is asked for
 * @param shotAttempts the most that one shot may use
 * @param standings every shot of the run, the one that asks included
 */
export function shareBudget(
  number: number,
  shotAttempts: number,
  runAttempts: number,
  standings: readonly Standing[],
): BudgetAnswer {
  let certain = 0;
  let possible = 0;
  for (const { ended, attempts, before, after } of standings) {
    const most = ended ? attempts : shotAttempts;
    certain += before * Math.min(attempts, number) + after * Math.min(attempts, number - 1);
    possible += before * Math.min(most, number) + after * Math.min(most, number - 1);
  }
  if (possible < runAttempts) return 'grant';
  return certain >= runAttempts ? 'refuse' : 'wait';
}

/** True where the budget reaches attempt `number` of every shot: no need to count. */
export function reachesAll(number: number, shots: number, runAttempts: number | undefined): boolean {
  return runAttempts === undefined || shots * number <= runAttempts;
}
