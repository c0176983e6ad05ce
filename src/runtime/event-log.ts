import { EventEmitter } from 'node:events';
import { toError } from '../errors.js';
import type { Ledger } from '../ledger/index.js';
import type { Json } from '../loop/index.js';
import { runOf, tellAll, type RunEvent, type RunEvents } from './events.js';

/** One write for all that happened meanwhile: an event costs an attempt next to nothing. */
const flushMs = 200;
/** While the ledger does not answer; the oldest go first. */
const maxHeld = 10_000;

/** Shown live and worth nothing afterwards. */
const passing = new Set<RunEvent['type']>(['progress', 'totals', 'due']);

/**
 * Writes the events of the runs that `isHere` into the ledger, in batches. A process that is killed loses those of its
 * last moment: they tell of what happened, and decide nothing.
 */
export class EventLog {
  #held: { run: string; event: RunEvent }[] = [];
  #writing: Promise<void> = Promise.resolve();
  readonly #written = new EventEmitter().setMaxListeners(0);
  readonly #timer: NodeJS.Timeout;
  readonly #stop: () => void;

  readonly #ledger: Pick<Ledger, 'appendEvents'>;
  readonly #runs: () => Iterable<string>;

  constructor(events: RunEvents, ledger: Pick<Ledger, 'appendEvents'>, runs: () => Iterable<string>) {
    this.#ledger = ledger;
    this.#runs = runs;
    this.#stop = events.listen((event) => this.#hold(event));
    this.#timer = setInterval(() => void this.flush(), flushMs);
  }

  /** Resolves when all that happened so far is written, or could not be. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  /** Hears of each run whose events have just been written. Returns the function that stops listening. */
  listen(listener: (run: string) => void): () => void {
    this.#written.on('run', listener);
    return () => this.#written.off('run', listener);
  }

  async close(): Promise<void> {
    this.#stop();
    clearInterval(this.#timer);
    await this.flush();
  }

  #hold(event: RunEvent): void {
    if (passing.has(event.type)) return;
    const run = runOf(event);
    for (const name of run === undefined ? this.#runs() : [run]) this.#held.push({ run: name, event });
    if (this.#held.length > maxHeld) this.#held = this.#held.slice(-maxHeld);
  }

  async #write(): Promise<void> {
    const held = this.#held;
    this.#held = [];
    for (const run of new Set(held.map((entry) => entry.run))) {
      const entries = held.filter((entry) => entry.run === run);
      const rows = entries.map(({ event: { type, ...data } }) => ({
        code: type,
        data: data as unknown as Json,
      }));
      try {
        await this.#ledger.appendEvents(run, rows);
      } catch (error) {
        // Tried again with the next ones. A log that cannot be written ends no run.
        this.#held = [...entries, ...this.#held].slice(-maxHeld);
        if (toError(error).name !== 'StorageError') process.emitWarning(toError(error));
        continue;
      }
      tellAll(this.#written.listeners('run'), run);
    }
  }
}
