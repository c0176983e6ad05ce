import type { RunProgress } from '../ledger/index.js';

/** How many of a run's shots have an outcome. */
export function endedOf({ accepted, exhausted, failed, cancelled }: RunProgress): number {
  return accepted + exhausted + failed + cancelled;
}

/** How fast shots end since this process took the run on, and when the last one will at that pace. */
export function paceOf(
  progress: RunProgress,
  since: { startedAt: number; before: RunProgress },
): { shotsPerMinute?: number; etaSeconds?: number } {
  const minutes = (Date.now() - since.startedAt) / 60_000;
  const done = endedOf(progress) - endedOf(since.before);
  if (done === 0 || minutes === 0) return {};
  const shotsPerMinute = done / minutes;
  return { shotsPerMinute, etaSeconds: ((progress.shots - endedOf(progress)) / shotsPerMinute) * 60 };
}
