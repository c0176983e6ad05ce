import { setTimeout as sleep } from 'node:timers/promises';
import { BackendError } from '../../errors.js';
import { NetError, type HttpClient } from '../../net/index.js';
import type { Progress } from '../port.js';
import type { Family } from './family.js';
import { askServer, askTask, isBusy, isInterrupted, isThere, lookMs, signOf } from './progress.js';
import type { ServerProgress, TaskProgress } from './schema.js';

export interface Patience {
  /** Between two looks at a job. */
  pollMs: number;
  /** Without any sign of progress, after which a server is given up. */
  stallMs: number;
}

/** How long a server that has ended a job, or that no longer answers, may keep the reply to itself. */
const graceMs = 30_000;
/** How long the end of cancelled work is awaited while nothing moves. */
const endMs = 20_000;

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
  /** Jobs under way; true where one is known to have been interrupted. */
  readonly #jobs = new Map<string, boolean>();

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
   * BackendError when the server stands still, or has ended the job without a reply: the connection may stay open
   * for ever then.
   */
  async watch(
    remoteId: string,
    family: Family,
    onProgress: ((progress: Progress) => void) | undefined,
    signal: AbortSignal,
  ): Promise<never> {
    const { pollMs, stallMs } = this.#patience;
    const shortMs = Math.min(graceMs, stallMs);
    let sign: string | undefined;
    let movedAt = performance.now();
    let endedAt: number | undefined;
    let [wasThere, wasActive] = [false, false];
    let shown = -1;
    for (;;) {
      await sleep(pollMs, undefined, { signal });
      const look = await this.#look(remoteId, family, signal);
      const { task, server } = look;
      const now = performance.now();
      // Whatever moves is a sign of life: others may be before this one.
      if (look.sign !== undefined && look.sign !== sign) [sign, movedAt] = [look.sign, now];
      // But not once this one has ended. One that was adopted is "completed" by its first life while it runs again.
      wasThere ||= isThere(task);
      if (isThere(task)) endedAt = undefined;
      else if (task && (wasThere || task.completed)) endedAt ??= now;
      // Between two looks that find this task at work the server's state is this task's state.
      if (wasActive && task?.active && isInterrupted(server)) this.#markInterrupted(remoteId);
      wasActive = task?.active === true;

      if (endedAt !== undefined && now - endedAt > shortMs) {
        throw this.#error(`ended this image ${seconds(now - endedAt)} ago and did not send it.`);
      }
      if (look.gone && now - movedAt > shortMs) {
        throw this.#error(
          `has not been reachable for ${seconds(now - movedAt)} while it worked for us; it has probably stopped.`,
        );
      }
      if (now - movedAt > stallMs) {
        throw this.#error(
          `has shown no progress for ${seconds(now - movedAt)}: a zombie. Restart it if this goes on.`,
        );
      }
      const share = this.#share(look, family);
      if (share !== undefined && share > shown) onProgress?.({ share: (shown = share) });
    }
  }

  /** How far the job is, 0 to 1; undefined while it waits, or where it cannot be told from another one. */
  #share({ task, server }: Look, family: Family): number | undefined {
    if (family.taskIds) return task?.active ? Math.min(1, task.progress ?? 0) : undefined;
    return this.#jobs.size === 1 ? server?.progress : undefined;
  }

  /**
   * Ends what the server still does for `remoteId`, and only that: `/interrupt` knows no ids, so it is sent only
   * while the server says that this task is the one being worked on. Work that waits in its line cannot be taken
   * out; it is interrupted when its turn comes. Where the server does not say whose work it does, nothing is stopped.
   *
   * While `isPatient` it waits for as long as the line moves, `stallMs` at most; for the server to be idle where it
   * cannot tell this work from others'. False where the work may still be going on.
   */
  async cancel(
    remoteId: string,
    family: Family,
    signal: AbortSignal,
    isPatient = () => false,
  ): Promise<boolean> {
    const { pollMs, stallMs } = this.#patience;
    const startedAt = performance.now();
    let movedAt = startedAt;
    let sign: string | undefined;
    let told = false;
    let idle = 0;
    for (;;) {
      const server = await askServer(this.#http, signal);
      // Looked at last, right before the interrupt: the next task may begin in between.
      const task = family.taskIds ? await askTask(this.#http, remoteId, signal) : undefined;
      const busy = isBusy(server);
      if (task ? !isThere(task) : !busy) return true;
      if (task?.active && busy && !told) {
        told = true; // once is enough, and twice might meet the next task
        this.#markInterrupted(remoteId);
        await this.#http.postJson('/sdapi/v1/interrupt', {}, { signal, timeoutMs: lookMs });
      } else if (task?.active && !busy && ++idle > 1) {
        return true; // a task that failed stays "active" until another one starts
      }
      const now = performance.now();
      if (isPatient()) {
        if (signOf(task, server) !== sign) [sign, movedAt] = [signOf(task, server), now];
      } else if (!task) return false;
      if (now - movedAt > Math.min(endMs, stallMs) || now - startedAt > stallMs) return false;
      await sleep(Math.min(pollMs, 250), undefined, { signal });
    }
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
    const server = await askServer(this.#http, signal);
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

  /** One look: at this task where the server knows tasks, and at the whole server, since others may be before it. */
  async #look(remoteId: string, family: Family, signal: AbortSignal): Promise<Look> {
    try {
      const server = await askServer(this.#http, signal);
      const task = family.taskIds ? await askTask(this.#http, remoteId, signal) : undefined;
      return { task, server, sign: signOf(task, server), gone: false };
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      // Slow to answer is no sign of death: these servers are busy with one thing at a time.
      return { task: undefined, server: undefined, sign: undefined, gone: error.kind === 'unreachable' };
    }
  }

  #error(message: string): BackendError {
    return new BackendError(message, { backend: this.#backend, fault: 'transient' });
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
