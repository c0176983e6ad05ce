import { setTimeout as delay } from 'node:timers/promises';
import { DelayedError, type Job as BullJob, WaitingError } from 'bullmq';
import { QueueError, toError } from '../errors.js';
import { type JobData, RetryLater, type WorkOptions, type Worker } from './port.js';
import { backendOptions, ownClose, type Server } from './server.js';

/** How long handlers that were aborted may take to hand their jobs back. */
const handBackMs = 1000;

/** `onClosed` hears when nothing of the worker is left. */
export function startWorker(
  server: Server,
  queue: string,
  options: WorkOptions,
  onClosed: () => void,
): Worker {
  const active = new Set<Promise<void>>();
  let taking = options.paused !== true;
  let closed: Promise<void> | undefined;

  const handBack = async (job: BullJob<JobData>, token: string): Promise<never> => {
    await job.moveToWait(token);
    throw new WaitingError();
  };

  const process = async (job: BullJob<JobData>, token: string, signal: AbortSignal): Promise<void> => {
    // BullMQ waits for its next job in advance: one may come although we were paused since.
    if (!taking || job.id === undefined) return handBack(job, token);
    try {
      await options.handler({ id: job.id, data: job.data }, signal);
    } catch (error) {
      if (signal.aborted) return handBack(job, token);
      if (!(error instanceof RetryLater)) throw error;
      // PostgreSQL keeps the time in whole milliseconds.
      await job.moveToDelayed(Math.round(Date.now() + error.delayMs), token);
      throw new DelayedError();
    }
  };

  const bull = new server.bull.Worker<JobData, void>(
    queue,
    // BullMQ gives a signal only to functions that declare three parameters.
    (job, token, signal) => {
      const done = process(job, token ?? '', signal ?? new AbortController().signal);
      const settled = done.then(
        () => undefined,
        () => undefined,
      );
      active.add(settled);
      void settled.then(() => active.delete(settled));
      return done;
    },
    {
      ...backendOptions,
      ...server.locks,
      autorun: false,
      concurrency: options.concurrency,
      // A job that was cut off any number of times comes back: the ledger bounds repetition, not the queue.
      maxStalledCount: 2 ** 31 - 1,
      runRetryDelay: 500,
    },
  );
  // That the server refuses is told once; a worker would say it again and again.
  const isHarmless = (error: Error) => isForgotten(error) || isClosing(error) || server.refuses(error);
  const report = (error: Error): void => {
    if (isHarmless(error)) return;
    const message = `${server.name} does not do what the queue asks: ${error.message}`;
    options.onError(new QueueError(message, { cause: error, isTold: false }));
  };
  bull.on('error', report);
  bull.on('failed', (_job, error) => {
    if (!isHarmless(error)) options.onError(error);
  });
  bull.on('drained', () => options.onDrained?.());
  bull.on('closed', onClosed);
  const run = (): void => void bull.run().catch((error: unknown) => report(toError(error)));
  if (taking) run();

  return {
    pause() {
      taking = false;
      void bull.pause(true).catch(report);
    },
    resume() {
      if (taking) return;
      taking = true;
      if (bull.isPaused()) void bull.resume().catch(report);
      else run();
    },
    async close({ force } = { force: false }) {
      taking = false;
      if (!force) {
        closed ??= bull.close();
        return closed;
      }
      bull.cancelAllJobs('the worker is closing');
      await Promise.race([Promise.all(active), delay(handBackMs, undefined, { ref: false })]);
      closed ??= bull.close(true);
      // A wait for the next job that goes on would keep the process for up to five seconds.
      void bull.getBackend().disconnectBlocking(false).catch(report);
      // A close() that waits for handlers that do not obey would keep the connections.
      await Promise.race([closed, bull.getBackend().close(true)]);
    },
  };
}

/**
 * A close ended the connection on which BullMQ was about to wait for jobs (PostgreSQL): 'Connection terminated' is what
 * its client says then, and adds 'unexpectedly' where it was not ourselves.
 */
function isClosing({ message }: Error): boolean {
  return [ownClose, 'Connection terminated', 'Client was closed and is not queryable'].includes(message);
}

/**
 * The queue no longer knows the job, or that it was ours: it was flushed, cleared, or given to
 * another worker while this process slept. The work itself is in the ledger.
 */
function isForgotten(error: Error): boolean {
  return /^(Missing key|Missing lock|Lock mismatch|Job .* is not in the|could not renew lock)/.test(
    error.message,
  );
}
