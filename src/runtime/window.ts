import type { AttemptKey } from '../ledger/index.js';

/**
 * The attempts of one lane of one run that its coordinator has put into the queue and not yet seen leave it. Kept
 * small, so that runs take turns in a queue that they share, and a run of 100,000 shots takes no more memory than
 * one of 100.
 */
export class Window {
  readonly #queued = new Set<string>();
  /** Those that a server failed: they wait in the queue for a while, and must not hold up the rest. */
  readonly #delayed = new Set<string>();

  constructor(readonly size: number) {}

  /** How many more may be put in. */
  get room(): number {
    return Math.max(0, this.size - this.#queued.size);
  }

  get isLow(): boolean {
    return this.#queued.size <= this.size / 2;
  }

  /** How many due attempts must be read to find some that are not there. */
  get reach(): number {
    return this.size + this.#delayed.size;
  }

  has(key: AttemptKey): boolean {
    const id = jobId(key);
    return this.#queued.has(id) || this.#delayed.has(id);
  }

  put(keys: readonly AttemptKey[]): void {
    for (const key of keys) this.#queued.add(jobId(key));
  }

  delay(key: AttemptKey): void {
    if (this.#queued.delete(jobId(key))) this.#delayed.add(jobId(key));
  }

  /** Its delay is over. */
  resume(key: AttemptKey): void {
    if (this.#delayed.delete(jobId(key))) this.#queued.add(jobId(key));
  }

  remove(key: AttemptKey): void {
    this.#queued.delete(jobId(key));
    this.#delayed.delete(jobId(key));
  }

  /** Takes the first due attempts of the lane for what is there: others may have left unseen. */
  renew(due: readonly AttemptKey[]): void {
    const ids = due.map(jobId);
    const known = new Set(ids);
    for (const id of this.#delayed) if (!known.has(id)) this.#delayed.delete(id);
    this.#queued.clear();
    for (const id of ids) if (!this.#delayed.has(id)) this.#queued.add(id);
  }
}

/** A job's id is its attempt's: adding one that is there changes nothing. */
export function jobId({ run, shot, number }: AttemptKey): string {
  return `${run}.${shot}.${number}`;
}

export function jobOf({ run, shot, number }: AttemptKey, priority: number) {
  return { id: jobId({ run, shot, number }), data: { run, shot, number }, priority };
}
