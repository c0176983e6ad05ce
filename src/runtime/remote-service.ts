import { connect, type Socket } from 'node:net';
import { ConfigError, LockedError, RerollError, StorageError, toError } from '../errors.js';
import { readLines } from '../net/index.js';
import type { Attempt, ShotRecord } from '../ledger/index.js';
import type { RunSummary } from './finish.js';
import type { Reply, Request } from './requests.js';
import { isSuspended } from './suspended.js';
import type { Past, RunRecord, RunStatus, ServerStatus, Service, Taken, WrittenReport } from './service.js';

/** A page of 1,000 shots with all their attempts is the longest answer; a run's next event may take hours. */
const bounds = { maxBytes: 256 * 1024 * 1024, idleMs: Infinity };

/** The process that holds the folder ended, or was killed, before it had answered. */
export class HolderGoneError extends RerollError {
  override readonly name = 'HolderGoneError';
}

/** How long an answer may take before it is looked whether the holder is suspended, */
const suspendedMs = 300;
/** and before one that cannot be looked at is said to be silent. */
const silentMs = 1_000;

/** The process that holds the folder, as far as it is known. */
export interface Holder {
  /** Where it is on this machine. */
  pid?: number;
  /** Hears, once, of one that is silent for long. */
  onSilent?: (words: string) => void;
}

/** The service through the socket of the process that holds the state folder. */
export class RemoteService implements Service {
  readonly #path: string;
  readonly #holder: Holder;

  constructor(path: string, holder: Holder = {}) {
    this.#path = path;
    this.#holder = holder;
  }

  submit(submission: Parameters<Service['submit']>[0]): Promise<Taken> {
    return this.#ask({ operation: 'submit', set: [], ...submission });
  }

  resume(asked: Parameters<Service['resume']>[0]): Promise<Taken> {
    return this.#ask({ operation: 'resume', ...asked });
  }

  retry(asked: Parameters<Service['retry']>[0]): Promise<Taken> {
    return this.#ask({ operation: 'retry', ...asked });
  }

  runs(): Promise<RunStatus[]> {
    return this.#ask({ operation: 'runs' });
  }

  status(run?: string): Promise<RunStatus> {
    return this.#ask({ operation: 'status', ...named(run) });
  }

  async past(file: string): Promise<Past | undefined> {
    return (await this.#ask<Past | null>({ operation: 'past', file })) ?? undefined;
  }

  missing(run: string): Promise<{ images: number; files: string[] }> {
    return this.#ask({ operation: 'missing', run });
  }

  report(run?: string): Promise<WrittenReport> {
    return this.#ask({ operation: 'report', ...named(run) });
  }

  summary(run: string): Promise<RunSummary> {
    return this.#ask({ operation: 'summary', run });
  }

  pause(run?: string): Promise<RunStatus> {
    return this.#ask({ operation: 'pause', ...named(run) });
  }

  unpause(run?: string): Promise<RunStatus> {
    return this.#ask({ operation: 'unpause', ...named(run) });
  }

  cancel(run?: string): Promise<RunStatus> {
    return this.#ask({ operation: 'cancel', ...named(run) });
  }

  shots(run: string, page: { from: number; limit: number }): Promise<ShotRecord[]> {
    return this.#ask({ operation: 'shots', run, ...page });
  }

  attempt(key: Parameters<Service['attempt']>[0]): Promise<Attempt | undefined> {
    return this.#ask({ operation: 'attempt', ...key });
  }

  servers(): Promise<ServerStatus[]> {
    return this.#ask({ operation: 'servers' });
  }

  history(run: string, page: { after: number; limit: number }): Promise<RunRecord[]> {
    return this.#ask({ operation: 'history', run, ...page });
  }

  async *events(run: string, after: number): AsyncGenerator<RunRecord> {
    for await (const reply of this.#exchange({ operation: 'events', run, after })) {
      if ('record' in reply) yield reply.record as RunRecord;
    }
  }

  async #ask<Result>(asked: Request): Promise<Result> {
    for await (const reply of this.#exchange(asked)) if ('result' in reply) return reply.result as Result;
    throw new Error('an exchange ends with a result');
  }

  /** Ends with the result; throws the error that came instead, and HolderGoneError where nothing did. */
  async *#exchange(asked: Request): AsyncGenerator<Exclude<Reply, { error: unknown }>> {
    const socket = connect(this.#path);
    const silence = this.#watchSilence(socket, asked);
    try {
      socket.write(JSON.stringify(asked) + '\n');
      for await (const line of readLines(socket, bounds)) {
        clearInterval(silence);
        const reply = JSON.parse(line) as Reply;
        if ('error' in reply) throw errorOf(reply.error);
        yield reply;
        if ('result' in reply) return;
      }
      throw new Error('it hung up');
    } catch (error) {
      if (error instanceof RerollError) throw error;
      throw new HolderGoneError(
        `the process that holds the state folder does not answer: ${toError(error).message}`,
        { cause: error },
      );
    } finally {
      clearInterval(silence);
      socket.destroy();
    }
  }

  /** Until the first answer: one that is suspended would keep us waiting for ever, without a word. */
  #watchSilence(socket: Socket, { operation }: Request): NodeJS.Timeout {
    const { pid, onSilent } = this.#holder;
    if (pid === undefined) {
      // Others may take their time: they open models.
      const words = 'The process that holds the folder does not answer yet: it may be busy, or suspended.';
      return setTimeout(() => operation === 'status' && onSilent?.(words), silentMs);
    }
    return setInterval(() => {
      void isSuspended(pid).then((suspended) => {
        if (!suspended || socket.destroyed) return;
        const words = `the process that holds the state folder (pid ${pid}) is suspended and answers nobody. \`fg\` in its terminal, or \`kill -CONT ${pid}\`, lets it go on.`;
        socket.destroy(new ConfigError(words));
      });
    }, suspendedMs);
  }
}

const named = (run: string | undefined) => (run === undefined ? {} : { run });

/** The other process's failure, as the class that callers tell apart. */
function errorOf({ name, message }: { name: string; message: string }): Error {
  switch (name) {
    case 'StorageError':
      return new StorageError(message);
    case 'LockedError':
      return new LockedError(message, undefined);
    case 'AbortError':
      return new HolderGoneError('the process that holds the state folder is leaving.');
    default:
      return new ConfigError(message);
  }
}
