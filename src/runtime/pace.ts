import type { RunProgress } from '../ledger/index.js';
import { endedOf, openOf } from '../loop/index.js';

/** How long a run is worked on: its pauses do not count. */
export class WorkClock {
  #before = 0;
  #since: number | undefined = Date.now();

  get ms(): number {
    return this.#before + (this.#since === undefined ? 0 : Date.now() - this.#since);
  }

  stop(): void {
    this.#before = this.ms;
    this.#since = undefined;
  }

  goOn(): void {
    this.#since ??= Date.now();
  }
}

/** How fast shots end since this process took the run on, and when the last one will at that pace. */
export function paceOf(
  progress: RunProgress,
  since: { clock: WorkClock; before: RunProgress },
): { shotsPerMinute?: number; etaSeconds?: number } {
  const minutes = since.clock.ms / 60_000;
  const done = endedOf(progress) - endedOf(since.before);
  if (done === 0 || minutes === 0) return {};
  const shotsPerMinute = done / minutes;
  return { shotsPerMinute, etaSeconds: (openOf(progress) / shotsPerMinute) * 60 };
}
