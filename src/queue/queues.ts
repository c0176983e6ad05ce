import { setTimeout as delay } from 'node:timers/promises';
import type { IQueueBackend, Queue } from 'bullmq';
import type { Pool } from 'pg';
import type { Trouble } from '../base/trouble.js';
import { QueueError, toError } from '../errors.js';
import type { JobData, NewJob, Queues, Worker } from './port.js';
import { embeddedServer, postgresServer } from './postgres.js';
import { redisServer } from './redis.js';
import { backendOptions, type Server } from './server.js';
import { startWorker } from './worker.js';

/** A Redis server, the ledger's PostgreSQL server, or the pool of the embedded database (which stays its owner's to end). */
export type QueuePlace =
  | { redisUrl: string }
  | {
      databaseUrl: string;
      /** Where the ledger tells of that server. */
      trouble: Trouble;
    }
  | { pool: Pool };

type BullQueue = Queue<JobData, void, string, JobData, void, string, IQueueBackend, object>;

/** How long the server may take to answer. Adding jobs to it is harmless to repeat. */
const answerMs = 20_000;

/** Jobs that go to the server in one message. */
const chunk = 500;

/** Throws ConfigError where no server answers within some seconds. `warn` hears what a user should know. */
export async function openQueues(place: QueuePlace, warn: (message: string) => void): Promise<Queues> {
  const server = await openServer(place, warn);
  const queues = new Map<string, BullQueue>();
  const workers = new Set<Worker>();

  const open = (name: string): BullQueue => {
    let queue = queues.get(name);
    if (!queue) {
      queue = new server.bull.Queue<JobData, void>(name, {
        ...backendOptions,
        // A job that is over is gone, so that its id may be added again. Nobody reads the events.
        defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
        streams: { events: { maxLen: 10 } },
      });
      queue.on('error', () => undefined);
      queues.set(name, queue);
    }
    return queue;
  };

  const ask = async <Answer>(what: string, question: () => Promise<Answer>): Promise<Answer> => {
    const bound = new AbortController();
    try {
      return await Promise.race([question(), lateness(bound.signal)]);
    } catch (error) {
      const isTold = server.refuses(error);
      const message = `${server.name} could not ${what}: ${toError(error).message}`;
      throw new QueueError(message, { cause: error, isTold });
    } finally {
      bound.abort();
    }
  };

  return {
    add: (name, jobs) =>
      ask('add jobs', async () => {
        const queue = open(name);
        if (jobs.length <= server.few) {
          for (const { name: jobName, data, opts } of jobs.map(toBull)) await queue.add(jobName, data, opts);
        } else {
          for (let from = 0; from < jobs.length; from += chunk) {
            await queue.addBulk(jobs.slice(from, from + chunk).map(toBull));
          }
        }
        // Whoever only reads is answered by one that takes no writes, too.
        if (jobs.length > 0) server.takes();
      }),
    work(name, options) {
      const worker = startWorker(server, name, options, () => workers.delete(worker));
      workers.add(worker);
      return worker;
    },
    waiting: (name) =>
      ask('count jobs', async () => {
        const counts = await open(name).getJobCounts('waiting', 'prioritized', 'delayed');
        const { waiting = 0, prioritized = 0, delayed = 0 } = counts;
        return { ready: waiting + prioritized, delayed };
      }),
    clear: (name) => ask('clear the queue', () => open(name).obliterate({ force: true })),
    clearAll: (part) =>
      ask('clear the queues', async () => {
        for (const name of await server.queues())
          if (name.includes(part)) await open(name).obliterate({ force: true });
      }),
    sweep: (part, isOf, isDry) =>
      ask('remove jobs', async () => {
        let count = 0;
        for (const name of await server.queues()) {
          if (!name.includes(part)) continue;
          const jobs = await open(name).getJobs(['waiting', 'prioritized', 'delayed']);
          const old = jobs.filter((job) => isOf(job.data));
          count += old.length;
          if (!isDry) for (const job of old) await job.remove();
        }
        return count;
      }),
    async close() {
      await Promise.all([...workers].map((worker) => worker.close({ force: true })));
      // A Queue holds nothing of its own to close, and would wait for a server that is away.
      await server.close();
    },
  };
}

function openServer(place: QueuePlace, warn: (message: string) => void): Promise<Server> {
  if ('redisUrl' in place) return redisServer(place.redisUrl, warn);
  if ('databaseUrl' in place) return postgresServer(place.databaseUrl, place.trouble);
  return embeddedServer(place.pool);
}

/** BullMQ waits without end for a server that was away when a queue was first used. */
async function lateness(signal: AbortSignal): Promise<never> {
  await delay(answerMs, undefined, { signal });
  throw new Error(`no answer in ${answerMs / 1000} s`);
}

/** BullMQ's priorities run the other way: 1 goes first. */
const toBull = ({ id, data, priority = 0, delayMs = 0 }: NewJob) => ({
  name: 'attempt',
  data,
  opts: { jobId: id, priority: 1001 - priority, delay: delayMs },
});
