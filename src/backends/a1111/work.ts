import { setTimeout as sleep } from 'node:timers/promises';
import { BackendError } from '../../errors.js';
import { NetError, type HttpClient } from '../../net/index.js';
import type { Progress } from '../port.js';
import { optional, type Family } from './family.js';
import { decode } from './reply.js';
import { serverProgress, taskProgress, type ServerProgress, type TaskProgress } from './schema.js';

export interface Patience {
  /** Between two looks at a job. */
  pollMs: number;
  /** Without any sign of progress, after which a server is given up. */
  stallMs: number;
}

/** How long a server that has finished a job, or that no longer answers, may keep the reply to itself. */
const graceMs = 30_000;
/** How long the end of work that nobody waits for any more is awaited. */
const settleMs = 20_000;
const lookMs = 10_000;

/** What a server is doing, and stopping it. */
export class Work {
  readonly #backend: string;
  readonly #http: HttpClient;
  readonly #patience: Patience;

  constructor(backend: string, http: HttpClient, patience: Patience) {
    this.#backend = backend;
    this.#http = http;
    this.#patience = patience;
  }

  /**
   * Looks after a job under way until `signal` aborts, which is its only peaceful end. Throws a transient
   * BackendError when the server stands still: the connection may stay open for ever then.
   */
  async watch(
    remoteId: string,
    family: Family,
    onProgress: ((progress: Progress) => void) | undefined,
    signal: AbortSignal,
  ): Promise<never> {
    const { pollMs, stallMs } = this.#patience;
    let lastSign = '';
    let signAt = performance.now();
    let shown = -1;
    let preview = -1;
    for (;;) {
      await sleep(pollMs, undefined, { signal });
      const look = await this.#look(remoteId, family, onProgress ? preview : undefined, signal);
      if (look.sign !== undefined && look.sign !== lastSign) {
        lastSign = look.sign;
        signAt = performance.now();
      }
      const silentMs = performance.now() - signAt;
      const limitMs = look.task?.completed === true || look.gone ? Math.min(graceMs, stallMs) : stallMs;
      if (silentMs > limitMs) throw this.#stalled(look, silentMs);

      const share = Math.min(1, look.task?.progress ?? 0);
      const picture = look.task?.live_preview;
      if (look.task?.active && (share > shown || picture !== undefined)) {
        shown = Math.max(shown, share);
        preview = look.task.id_live_preview ?? preview;
        onProgress?.({
          share: shown,
          ...(picture !== undefined && { preview: decode(this.#backend, picture) }),
        });
      }
    }
  }

  /**
   * Ends what the server still does for `remoteId`, and only that: `/interrupt` knows no ids, so it is
   * sent only while the server says that this task is the one being worked on. Work that waits in its
   * line cannot be taken out; it is interrupted when its turn comes. False where it may still be going on.
   */
  async settle(remoteId: string, family: Family, signal: AbortSignal): Promise<boolean> {
    if (!family.taskIds) return !(await this.isBusy(signal));
    const until = performance.now() + settleMs;
    while (performance.now() < until) {
      const task = await this.#task(remoteId, undefined, signal);
      if (!task?.active && !task?.queued) return true;
      if (task.active) {
        // A task that failed stays "active" until another one starts.
        if (!(await this.isBusy(signal))) return true;
        await this.#http.postJson('/sdapi/v1/interrupt', {}, { signal, timeoutMs: lookMs });
      }
      await sleep(Math.min(this.#patience.pollMs, 250), undefined, { signal });
    }
    return false;
  }

  /** Whether the server says that the job with this time stamp, its last one, was interrupted or skipped. */
  async wasInterrupted(jobTimestamp: string | undefined, signal: AbortSignal): Promise<boolean> {
    const state = (await this.#server(signal))?.state;
    // Another job has begun since where the stamps differ: then the flags are about that one.
    if (state === undefined || jobTimestamp === undefined || state.job_timestamp !== jobTimestamp)
      return false;
    return state.interrupted === true || state.skipped === true;
  }

  async isBusy(signal: AbortSignal): Promise<boolean> {
    const now = await this.#server(signal);
    return (now?.progress ?? 0) > 0 || (now?.state?.job_count ?? 0) !== 0;
  }

  /** One look: this task where the server knows tasks, and the whole server, since others may be before us in its line. */
  async #look(remoteId: string, family: Family, preview: number | undefined, signal: AbortSignal) {
    try {
      const task = family.taskIds ? await this.#task(remoteId, preview, signal) : undefined;
      const server = task?.active ? undefined : await this.#server(signal);
      const sign = JSON.stringify([task?.active, task?.queued, task?.completed, task?.progress, server]);
      return { task, sign, gone: false };
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      // Slow to answer is no sign of death: these servers are busy with one thing at a time.
      return { task: undefined, sign: undefined, gone: error.kind === 'unreachable' };
    }
  }

  async #task(
    remoteId: string,
    preview: number | undefined,
    signal: AbortSignal,
  ): Promise<TaskProgress | undefined> {
    const body = { id_task: remoteId, live_preview: preview !== undefined, id_live_preview: preview ?? -1 };
    const reply = this.#http.postJson('/internal/progress', body, { signal, timeoutMs: lookMs });
    return taskProgress.safeParse(await optional(reply)).data;
  }

  async #server(signal: AbortSignal): Promise<ServerProgress | undefined> {
    const query = { skip_current_image: true };
    const reply = this.#http.getJson('/sdapi/v1/progress', { signal, timeoutMs: lookMs, query });
    return serverProgress.safeParse(await optional(reply)).data;
  }

  #stalled(look: { task: TaskProgress | undefined; gone: boolean }, silentMs: number): BackendError {
    const seconds = Math.round(silentMs / 1000);
    const why = look.gone
      ? `has not been reachable for ${seconds} s while it worked for us; it has probably stopped.`
      : look.task?.completed
        ? `finished the image ${seconds} s ago and did not send it.`
        : `has shown no progress for ${seconds} s: a zombie. Restart it if this goes on.`;
    return new BackendError(why, { backend: this.#backend, fault: 'transient' });
  }
}
