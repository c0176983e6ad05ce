import { BackendError } from '../../errors.js';
import { NetError, type HttpClient } from '../../net/index.js';
import { isPassing } from './faults.js';
import type { Hints } from './hints.js';
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
  /** `ahead`: how many come before it; `behind`: what runs now, and whether that is ours. */
  | { state: 'pending'; ahead: number; behind?: { id: string; ours: boolean } }
  | { state: 'finished'; entry: HistoryEntry }
  /** Never sent, deleted, or lost by a restart. */
  | { state: 'absent' };

type Waiting = Place & { state: 'running' | 'pending' };

/** How long a server where nothing answers is believed to come back, or one that runs nothing to be well. */
const graceMs = 30_000;
const idleMs = 60_000;
/**
 * Somebody else's prompt runs before ours. Its steps go to their socket alone, so that it shows no sign of life
 * until its end: a video may take so long.
 */
const othersMs = 3_600_000;
const lookMs = 15_000;

export class Watch {
  constructor(
    readonly backend: string,
    readonly http: HttpClient,
    readonly patience: Patience,
    /** Whether a client id is one of this process. */
    readonly isOurs: (clientId: string) => boolean,
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
      const [running] = waiting.queue_running;
      if (running === undefined) return { state: 'pending', ahead };
      const [, behind, , { client_id: clientId = '' } = {}] = running;
      return { state: 'pending', ahead, behind: { id: behind, ours: this.isOurs(clientId) } };
    }
    const entries = history.safeParse(
      await this.http.getJson(`/history/${encodeURIComponent(id)}`, options),
    ).data;
    const entry = entries?.[id];
    return entry === undefined ? { state: 'absent' } : { state: 'finished', entry };
  }

  /**
   * Waits for the end of a prompt that the server has. The truth is polled; the socket only makes it quicker.
   * Throws a transient BackendError where the server lost it, stands still, or is gone.
   */
  async finished(id: string, hints: Hints, signal: AbortSignal): Promise<HistoryEntry> {
    const { pollMs, stallMs } = this.patience;
    let sign = '';
    let signAt = performance.now();
    let answerAt = signAt;
    for (;;) {
      // After the end was announced the history may be written a moment later.
      await hints.pause(hints.ended ? Math.min(pollMs, 50) : pollMs, signal);
      const place = await this.find(id, signal).catch((error: unknown) => {
        if (!isPassing(error)) throw error;
        return error;
      });
      const now = performance.now();
      if (place instanceof NetError) {
        // Slow to answer is no sign of death: loading a checkpoint, it may answer nothing for minutes.
        const limitMs = place.kind === 'unreachable' ? Math.min(graceMs, stallMs) : stallMs;
        if (now - answerAt > limitMs) throw this.#gone(place, now - answerAt);
        continue;
      }
      answerAt = now;
      if (place.state === 'finished') return place.entry;
      if (place.state === 'absent') {
        throw this.#fail('no longer knows this prompt: it was restarted, or somebody deleted it.');
      }
      const newSign = JSON.stringify([place, hints.signs]);
      if (newSign !== sign) signAt = now;
      sign = newSign;
      if (now - signAt > this.#limitMs(place)) throw this.#stalled(place, now - signAt);
    }
  }

  /** Without any sign of life. */
  #limitMs(place: Waiting): number {
    const { stallMs } = this.patience;
    if (place.state === 'running') return stallMs;
    if (place.behind === undefined) return Math.min(idleMs, stallMs);
    return place.behind.ours ? stallMs : Math.max(othersMs, stallMs);
  }

  /** The prompt may still be there when the server can be asked again. */
  #gone(last: NetError, ms: number): BackendError {
    return new BackendError(`could not be asked about its work for ${seconds(ms)} s. ${last.message}`, {
      backend: this.backend,
      fault: 'transient',
      unreachable: last.kind === 'unreachable',
      mayHoldWork: true,
      cause: last,
    });
  }

  #stalled(place: Waiting, ms: number): BackendError {
    return this.#fail(
      place.state === 'pending' && place.behind === undefined
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
