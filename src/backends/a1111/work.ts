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

interface Look {
  task: TaskProgress | undefined;
  server: ServerProgress | undefined;
  /** All that changes while work goes on; undefined where the server could not be asked. */
  sign: string | undefined;
  /** Nothing answers at its address. */
  gone: boolean;
}

/** What a server is doing, and stopping it. */
export class Work {
  readonly #backend: string;
  readonly #http: HttpClient;
  readonly #patience: Patience;
  /** Jobs under way; true where one is known to have been interrupted. */
  readonly #jobs = new Map<string, boolean>();

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
    let last: Look | undefined;
    let signAt = performance.now();
    let shown = -1;
    let preview = -1;
    for (;;) {
      await sleep(pollMs, undefined, { signal });
      const look = await this.#look(remoteId, family, onProgress ? preview : undefined, signal);
      if (look.sign !== undefined && look.sign !== last?.sign) signAt = performance.now();
      // Between two looks that find this task at work the server's state is this task's state.
      if (last?.task?.active && look.task?.active && isInterrupted(look.server))
        this.#markInterrupted(remoteId);
      last = { ...look, sign: look.sign ?? last?.sign };

      const silentMs = performance.now() - signAt;
      const limitMs = look.task?.completed === true || look.gone ? Math.min(graceMs, stallMs) : stallMs;
      if (silentMs > limitMs) throw this.#stalled(look, silentMs);

      const share = this.#share(look, family);
      const picture = look.task?.live_preview;
      if (share !== undefined && (share > shown || picture !== undefined)) {
        shown = Math.max(shown, share);
        preview = look.task?.id_live_preview ?? preview;
        onProgress?.({
          share: shown,
          ...(picture !== undefined && { preview: decode(this.#backend, picture) }),
        });
      }
    }
  }

  /** How far the job is, 0 to 1; undefined while it waits, or where it cannot be told from another one. */
  #share({ task, server }: Look, family: Family): number | undefined {
    if (family.taskIds) return task?.active ? Math.min(1, task.progress ?? 0) : undefined;
    return this.#jobs.size === 1 ? server?.progress : undefined;
  }

  /**
   * Ends what the server still does for `remoteId`, and only that: `/interrupt` knows no ids, so it is
   * sent only while the server says that this task is the one being worked on. Work that waits in its
   * line cannot be taken out; it is interrupted when its turn comes. False where it may still be going on.
   */
  async settle(remoteId: string, family: Family, signal: AbortSignal): Promise<boolean> {
    if (!family.taskIds) return !(await this.isBusy(signal));
    const until = performance.now() + settleMs;
    let told = false;
    let idle = 0;
    while (performance.now() < until) {
      const busy = await this.isBusy(signal);
      // Looked at last, right before the interrupt: the next task may begin in between.
      const task = await this.#task(remoteId, undefined, signal);
      if (!task?.active && !task?.queued) return true;
      if (task.active && busy && !told) {
        told = true; // once is enough, and twice might meet the next task
        this.#markInterrupted(remoteId);
        await this.#http.postJson('/sdapi/v1/interrupt', {}, { signal, timeoutMs: lookMs });
      } else if (task.active && !busy && ++idle > 1) {
        return true; // a task that failed stays "active" until another one starts
      }
      await sleep(Math.min(this.#patience.pollMs, 250), undefined, { signal });
    }
    return false;
  }

  /**
   * Whether the job that has just ended was interrupted or skipped: the reply itself does not say.
   * Its time stamp tells whether the server's flags are still about it; the next job resets them.
   */
  async wasInterrupted(
    remoteId: string,
    timestamp: string | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (this.#jobs.get(remoteId) === true) return true;
    const server = await this.#server(signal);
    const isLast = server?.state?.job_count === 0 && server.state.job_timestamp === timestamp;
    return timestamp !== undefined && isLast && isInterrupted(server);
  }

  /** From now on until `end` it is noted when this job is interrupted: the reply will not say so. */
  begin(remoteId: string): void {
    this.#jobs.set(remoteId, false);
  }

  end(remoteId: string): void {
    this.#jobs.delete(remoteId);
  }

  #markInterrupted(remoteId: string): void {
    if (this.#jobs.has(remoteId)) this.#jobs.set(remoteId, true);
  }

  async isBusy(signal: AbortSignal): Promise<boolean> {
    const now = await this.#server(signal);
    return (now?.progress ?? 0) > 0 || (now?.state?.job_count ?? 0) !== 0;
  }

  /** One look: at this task where the server knows tasks, and at the whole server, since others may be before it. */
  async #look(
    remoteId: string,
    family: Family,
    preview: number | undefined,
    signal: AbortSignal,
  ): Promise<Look> {
    try {
      const server = await this.#server(signal);
      const task = family.taskIds ? await this.#task(remoteId, preview, signal) : undefined;
      const sign = JSON.stringify([task?.active, task?.queued, task?.completed, task?.progress, server]);
      return { task, server, sign, gone: false };
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      // Slow to answer is no sign of death: these servers are busy with one thing at a time.
      return { task: undefined, server: undefined, sign: undefined, gone: error.kind === 'unreachable' };
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

  #stalled(look: Look, silentMs: number): BackendError {
    const seconds = Math.round(silentMs / 1000);
    const why = look.gone
      ? `has not been reachable for ${seconds} s while it worked for us; it has probably stopped.`
      : look.task?.completed
        ? `finished the image ${seconds} s ago and did not send it.`
        : `has shown no progress for ${seconds} s: a zombie. Restart it if this goes on.`;
    return new BackendError(why, { backend: this.#backend, fault: 'transient' });
  }
}

function isInterrupted(server: ServerProgress | undefined): boolean {
  return server?.state?.interrupted === true || server?.state?.skipped === true;
}
