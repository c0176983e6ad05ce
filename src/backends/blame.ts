/** Failures in a row, with no image between them, that make a server sick. */
const sickAfter = 3;
/** A row of failures less likely than this is no bad luck. */
const unlikely = 1e-6;
/** The fewest failures that are blamed on an attempt; the second where no other was made since it first failed. */
const fewest = { beside: 5, alone: 8 };
/** Attempts whose failures are remembered, and images whose luck counts: memory stays flat. */
const remembered = 1000;

interface Row {
  failures: number;
  /** Images that the server had made when the attempt failed there first and last. */
  first: number;
  last: number;
  isBlamed: boolean;
}

/**
 * Whose fault one server's failures are. A server that fails whatever it is given is sick, and its failures say nothing
 * about an attempt. One that makes the images of others, and fails the same attempt again and again, will go on
 * failing it: an extension that chokes on its prompt, a size that its memory does not hold. How often is enough
 * depends on the luck that others have there: a flaky server fails any attempt now and then.
 */
export class Blame {
  #made = 0;
  /** How the first tries of attempts ended, made soon after an image of another. */
  #luck = { made: 0, failed: 0 };
  /** Attempts that failed here and were not made since. */
  readonly #rows = new Map<string, Row>();
  /** Failures since the last image, by attempt, of attempts that may be innocent. */
  readonly #streak = new Map<string, number>();
  #isBroken = false;

  /** Fails all that it is given. */
  get isSick(): boolean {
    const failures = [...this.#streak.values()].reduce((sum, count) => sum + count, 0);
    // One attempt alone may be at fault itself, on a server that has made others.
    return this.#isBroken || (failures >= sickAfter && (this.#streak.size > 1 || this.#made === 0));
  }

  /** Whether the server goes on failing this attempt. */
  isBlamed(attempt: string): boolean {
    return this.#rows.get(attempt)?.isBlamed ?? false;
  }

  made(attempt: string): void {
    if (!this.#rows.has(attempt) && this.#streak.size === 0) this.#luck.made++;
    this.#rows.delete(attempt);
    this.#streak.clear();
    this.#isBroken = false;
    this.#made++;
    if (this.#luck.made > remembered) this.#luck = { made: remembered / 2, failed: this.#luck.failed / 2 };
  }

  /**
   * `isBroken`: the server says that it fails all until somebody sees to it. Answers how often this attempt has failed
   * on a server that was well, as far as anybody can tell.
   */
  failed(attempt: string, isBroken = false): number {
    const row = this.#rows.get(attempt) ?? { failures: 0, first: this.#made, last: -1, isBlamed: false };
    const others = this.#streak.size - (this.#streak.has(attempt) ? 1 : 0);
    const isProven = this.#made > row.first;
    // What happens while others fail too says nothing; a broken server fails whatever comes, until it makes one again.
    if (others === 0 && (!isBroken || this.#made > row.last)) {
      if (row.failures++ === 0) this.#luck.failed++;
      row.isBlamed = this.#made > 0 && row.failures >= this.#enough(isProven);
    }
    row.last = this.#made;
    if (!isProven || isBroken) this.#streak.set(attempt, (this.#streak.get(attempt) ?? 0) + 1);
    this.#isBroken ||= isBroken;
    this.#remember(attempt, row);
    return row.failures;
  }

  forget(attempt: string): void {
    this.#rows.delete(attempt);
  }

  /** How many failures are no bad luck any more. */
  #enough(isProven: boolean): number {
    const { made, failed } = this.#luck;
    // The attempt's own first failure does not count against the server.
    const share = Math.max(0.5, failed - 0.5) / (made + failed + 1);
    const enough = Math.ceil(Math.log(unlikely) / Math.log(share));
    return Math.max(enough, isProven ? fewest.beside : fewest.alone);
  }

  #remember(attempt: string, row: Row): void {
    this.#rows.delete(attempt);
    this.#rows.set(attempt, row);
    const [oldest] = this.#rows.keys();
    if (this.#rows.size > remembered && oldest !== undefined) this.#rows.delete(oldest);
    const [first] = this.#streak.keys();
    if (this.#streak.size > remembered && first !== undefined) this.#streak.delete(first);
  }
}
