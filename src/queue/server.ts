import { setTimeout as delay } from 'node:timers/promises';
import type { BackendClasses, IQueueBackend, WorkerOptions } from 'bullmq';

/** Where the queues live: what differs between the embedded database, PostgreSQL and Redis. */
export interface Server {
  /** In words, without credentials, for messages. */
  name: string;
  /** BullMQ's Queue and Worker, bound to that place. */
  bull: BackendClasses<IQueueBackend, object>;
  locks: Locks;
  /** So many jobs are added one after another: a bulk costs more there. */
  few: number;
  /** Every queue that has jobs, and perhaps some without. */
  queues(): Promise<string[]>;
  /** True where the server refuses for a while (the user hears of it, once), which passes by itself. */
  refuses(error: unknown): boolean;
  /** It has taken jobs: if it refused, that is over. */
  takes(): void;
  close(): Promise<void>;
}

type Locks = Pick<WorkerOptions, 'lockDuration' | 'lockRenewTime' | 'stalledInterval'>;

/**
 * How long a job belongs to a worker that does not renew it, and how often the others look for such
 * jobs: a dead process's work is taken over in 10 s at most.
 */
export const sharedLocks: Locks = { lockDuration: 8000, lockRenewTime: 3000, stalledInterval: 2000 };

/**
 * In the embedded database nobody else is there to take over, and what a dead process left is put
 * back on opening. This only puts back a job that could not be finished, and must not mistake a busy
 * event loop for a dead worker.
 */
export const embeddedLocks: Locks = {
  lockDuration: 120_000,
  lockRenewTime: 60_000,
  stalledInterval: 60_000,
};

/** The message of an error that only says that a worker was closed by ourselves. */
export const ownClose = 'The worker is closed';

/** BullMQ asks a server that refuses again at once, and would do nothing else. */
const refusedMs = 500;

/** The backend, whose worker takes a breath before it asks for a job again where it could not get one. */
export function unhurried<Backend extends IQueueBackend>(backend: Backend): Backend {
  const moveToActive: IQueueBackend['moveToActive'] = backend.moveToActive.bind(backend);
  let breath: Promise<void> | undefined;
  backend.moveToActive = async (...given) => {
    await breath;
    const moving = moveToActive(...given);
    moving.catch(() => (breath = delay(refusedMs, undefined, { ref: false })));
    return moving;
  };
  return backend;
}

/** BullMQ insists on a connection; our backends bring their own. */
export const backendOptions = { connection: {}, prefix: 'reroll' };
