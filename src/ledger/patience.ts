import { setTimeout as delay } from 'node:timers/promises';
import { noAnswer, refusalOfPostgres } from '../base/refusals.js';
import type { Trouble } from '../base/trouble.js';

const firstPauseMs = 50;
const longestPauseMs = 1_000;

/**
 * Asks a database's server again while it refuses, so that what servers were paid for is recorded when it is well again.
 * Only for what may be repeated: the connection may be lost after a commit and before its answer.
 */
export class Patience {
  readonly #trouble: Trouble;
  #until: AbortSignal | undefined;
  #waiting = 0;

  /** Waits for nothing before `last()`. */
  constructor(trouble: Trouble) {
    this.#trouble = trouble;
  }

  last(until: AbortSignal): void {
    this.#until = until;
  }

  async keep<T>(work: () => PromiseLike<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!this.#isWorthWaiting(error)) throw error;
      this.#waiting++;
      try {
        return await this.#again(work, error);
      } finally {
        this.#waiting--;
      }
    }
  }

  async #again<T>(work: () => PromiseLike<T>, first: unknown): Promise<T> {
    let error = first;
    for (
      let pauseMs = firstPauseMs;
      this.#isWorthWaiting(error);
      pauseMs = Math.min(2 * pauseMs, longestPauseMs)
    ) {
      this.#trouble.begin(refusalOfPostgres(error) ?? noAnswer);
      await delay(pauseMs, undefined, { signal: this.#until }).catch(() => undefined);
      try {
        const result = await work();
        // Others may still be refused: a read-only server answers whoever only reads.
        if (this.#waiting === 1) this.#trouble.end();
        return result;
      } catch (failure) {
        error = failure;
      }
    }
    throw error;
  }

  #isWorthWaiting(error: unknown): boolean {
    return this.#until?.aborted === false && refusalOfPostgres(error) !== undefined;
  }
}
