import { setTimeout as sleep } from 'node:timers/promises';

/** Until the first report: within the run's first minute. */
const firstMs = 20_000;
/** Between two at least. */
const pauseMs = 60_000;
/** Writing takes one part in so many of a run's time: the more shots it has, the seldomer it is written. */
const timesLonger = 50;

export interface LiveReportOptions {
  /** Grows with every verdict: while it stays, the report would be the same. */
  attempts: () => Promise<number>;
  write: (signal: AbortSignal) => Promise<void>;
  onError: (error: unknown) => void;
  /** Until the first one, and between two at least, in milliseconds. */
  pauses?: { firstMs: number; pauseMs: number };
}

/** Writes a run's report again and again while it goes on, so that a night's half can be looked at. */
export class LiveReport {
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(options: LiveReportOptions) {
    this.#ended = this.#go(options);
  }

  /** Resolves when nothing more is written; what is being written is given up. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #go({ attempts, write, onError, pauses = { firstMs, pauseMs } }: LiveReportOptions): Promise<void> {
    const { signal } = this.#stop;
    let pause = pauses.firstMs;
    let known = 0;
    while (await isOver(pause, signal)) {
      const begunAt = performance.now();
      try {
        const now = await attempts();
        if (now !== known) await write(signal);
        known = now;
      } catch (error) {
        // The run goes on without it, and the next one may succeed.
        if (!signal.aborted) onError(error);
      }
      pause = nextPause(performance.now() - begunAt, pauses.pauseMs);
    }
  }
}

/** How long after a report that took `tookMs` the next one is begun. */
export const nextPause = (tookMs: number, least = pauseMs): number => Math.max(least, timesLonger * tookMs);

/** False where it was broken off. */
const isOver = (ms: number, signal: AbortSignal): Promise<boolean> =>
  sleep(ms, true, { signal, ref: false }).catch(() => false);
