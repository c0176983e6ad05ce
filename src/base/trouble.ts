/** What comes and goes is not told again sooner: it would bury everything else. */
const quietMs = 60_000;

/** Tells of a server that refuses for a while: once when that begins, in words, and once when it is over. */
export class Trouble {
  /** Why -> when it was told last, in milliseconds since 1970. */
  readonly #told = new Map<string, number>();
  #why: string | undefined;
  #isTold = false;
  readonly #server: string;
  readonly #warn: (message: string) => void;

  /** `server`: its name, for people. */
  constructor(server: string, warn: (message: string) => void) {
    this.#server = server;
    this.#warn = warn;
  }

  /** What follows the server's name; undefined where it is well. */
  get why(): string | undefined {
    return this.#why;
  }

  begin(why: string): void {
    if (why === this.#why) return;
    const now = Date.now();
    // A restart is told of once, though it shows in several ways.
    const lately = this.#why === undefined ? [this.#told.get(why) ?? -Infinity] : [...this.#told.values()];
    const isNews = lately.every((at) => now - at >= quietMs);
    if (isNews || this.#why === undefined) this.#why = why;
    if (!isNews) return;
    this.#told.set(why, now);
    this.#isTold = true;
    this.#warn(`${this.#server} ${why}. Waiting until it is well again; nothing is lost.`);
  }

  end(): void {
    if (this.#isTold) this.#warn(`${this.#server} is well again.`);
    this.#isTold = false;
    this.#why = undefined;
  }
}
