import { BackendError } from '../../errors.js';
import { NetError, type HttpClient } from '../../net/index.js';
import type { Progress } from '../port.js';
import type { Events } from './events.js';
import { isPassing } from './faults.js';
import { history, queue, type HistoryEntry } from './schema.js';

export interface Patience {
  /** Between two looks at a job, where the socket says nothing. */
  pollMs: number;
  /** Without any sign of progress, after which a server is given up. */
  stallMs: number;
}

/** Where a prompt is. */
export type Place =
  | { state: 'running' }
  /** `ahead`: how many come before it; `idle`: nothing runs although it waits. */
  | { state: 'pending'; ahead: number; idle: boolean }
  | { state: 'finished'; entry: HistoryEntry }
  /** Never sent, deleted, or lost by a restart. */
  | { state: 'absent' };

/** How long a server that cannot be asked is believed to be still at work, or one that runs nothing to be well. */
const graceMs = 30_000;
const idleMs = 60_000;
const lookMs = 15_000;

export class Watch {
  constructor(
    readonly backend: string,
    readonly http: HttpClient,
    readonly patience: Patience,
  ) {}

  /** The queue is read before the history: a prompt that ends in between is in both, and the other way round in neither. */
  async find(id: string, signal: AbortSignal): Promise<Place> {
    const options = { signal, timeoutMs: lookMs };
    const waiting = queue.safeParse(await this.http.getJson('/queue', options)).data;
    if (waiting === undefined) throw this.#fail('answered /queue with something else.');
    if (waiting.queue_running.some(([, each]) => each === id)) return { state: 'running' };
    const own = waiting.queue_pending.find(([, each]) => each === id);
    if (own !== undefined) {
      const ahead = waiting.queue_pending.filter(([number]) => Number(number) < Number(own[0])).length;
      return { state: 'pending', ahead, idle: waiting.queue_running.length === 0 };
    }
    const entries = history.safeParse(await this.http.getJson(`/history/${id}`, options)).data;
    const entry = entries?.[id];
    return entry === undefined ? { state: 'absent' } : { state: 'finished', entry };
  }

  /**
   * Waits for the end of a prompt that the server has. The truth is polled; the socket only makes it quicker.
   * Throws a transient BackendError where the server lost it, stands still, or is gone.
   */
  async finished(id: string, job: Job, signal: AbortSignal): Promise<HistoryEntry> {
    const { pollMs, stallMs } = this.patience;
    let sign = '';
    let signAt = performance.now();
    let answerAt = signAt;
    for (;;) {
      // After the end was announced the history may be written a moment later.
      await job.pause(job.ended ? Math.min(pollMs, 50) : pollMs, signal);
      const place = await this.find(id, signal).catch((error: unknown) => {
        if (!isPassing(error)) throw error;
        return error;
      });
      const now = performance.now();
      if (place instanceof NetError) {
        // The prompt may still be there when the server can be asked again: its id must not be forgotten.
        if (now - answerAt > Math.min(graceMs, stallMs)) throw this.#gone(place, now - answerAt);
        continue;
      }
      answerAt = now;
      if (place.state === 'finished') return place.entry;
      if (place.state === 'absent') {
        throw this.#fail('no longer knows this prompt: it was restarted, or somebody deleted it.');
      }
      const newSign = JSON.stringify([place, job.signs]);
      if (newSign !== sign) signAt = now;
      sign = newSign;
      const isIdle = place.state === 'pending' && place.idle;
      const limitMs = isIdle ? Math.min(idleMs, stallMs) : stallMs;
      if (now - signAt > limitMs) throw this.#stalled(isIdle, now - signAt);
    }
  }

  #gone(last: NetError, ms: number): BackendError {
    const message = `could not be asked about its work for ${seconds(ms)} s. ${last.message}`;
    const unreachable = last.kind === 'unreachable';
    return new BackendError(message, { backend: this.backend, fault: 'transient', unreachable, cause: last });
  }

  #stalled(isIdle: boolean, ms: number): BackendError {
    return this.#fail(
      isIdle
        ? `takes prompts but has run none for ${seconds(ms)} s: its worker has died. Restart it.`
        : `has shown no progress for ${seconds(ms)} s: a zombie. Restart it if this goes on.`,
    );
  }

  #fail(message: string): BackendError {
    return new BackendError(message, { backend: this.backend, fault: 'transient' });
  }
}

function seconds(ms: number): number {
  return Math.round(ms / 1000);
}

/** What the socket has said about one prompt so far. */
export class Job {
  /** Changes with every sign of life. */
  signs = 0;
  ended = false;
  readonly #steps = new Map<string, number>();
  readonly #samplers: readonly string[];
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  #share = 0;
  #wake: () => void = () => undefined;

  /** `samplers`: the nodes whose steps count. */
  constructor(samplers: readonly string[], onProgress?: (progress: Progress) => void) {
    this.#samplers = samplers;
    this.#onProgress = onProgress;
  }

  /** Begins to listen; returns what ends it. */
  listen(events: Events, promptId: string): () => void {
    return events.listen(promptId, {
      onSign: () => {
        this.signs++;
      },
      onStep: (node, value, max) => this.#step(node, value / max),
      onPreview: (preview) => this.#onProgress?.({ share: this.#share, preview }),
      onEnd: () => {
        this.ended = true;
        this.#wake();
      },
    });
  }

  /** Waits, less long where the end is announced. */
  async pause(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const woken = this.ended;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, ms);
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done, { once: true });
      this.#wake = woken ? () => undefined : done;
    });
    signal.throwIfAborted();
  }

  #step(node: string, share: number): void {
    if (!this.#samplers.includes(node)) return;
    this.#steps.set(node, Math.min(1, Math.max(0, share)));
    const done = [...this.#steps.values()].reduce((sum, one) => sum + one, 0);
    const total = done / this.#samplers.length;
    if (total <= this.#share) return;
    this.#share = total;
    this.#onProgress?.({ share: total });
  }
}
