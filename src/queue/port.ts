/** Which attempt a job is about: everything else is read from the ledger. */
export interface JobData {
  run: string;
  shot: number;
  number: number;
}

export interface Job {
  /** Names the work: adding it again while it is there changes nothing. No ':' in it, and more than digits. */
  id: string;
  data: JobData;
}

export interface NewJob extends Job {
  /** -1000 to 1000; larger goes first. Default 0. */
  priority?: number;
  /** Not before this many milliseconds from now. Default 0. */
  delayMs?: number;
}

/**
 * Who works on what now. Nothing here is the truth: all of it can be thrown away and added again
 * from the ledger. Methods throw QueueError where the server does not answer within some seconds.
 */
export interface Queues {
  /** Adds the jobs whose ids are not there: neither waiting, delayed nor being worked on. */
  add(queue: string, jobs: NewJob[]): Promise<void>;
  /** Starts to work on a queue. Several workers, in several processes, may share one. */
  work(queue: string, options: WorkOptions): Worker;
  /**
   * Jobs that nobody works on: those that a worker could take now, and those that come back later. BullMQ moves
   * the latter to the former only while some worker looks at the queue.
   */
  waiting(queue: string): Promise<{ ready: number; delayed: number }>;
  /** Throws away the queue and all its jobs, those being worked on included. */
  clear(queue: string): Promise<void>;
  /** Throws away all queues whose names hold `part`. */
  clearAll(part: string): Promise<void>;
  /** Removes the jobs, of queues whose names hold `part`, that nobody works on and of which `isOf` says so; answers how many. */
  sweep(part: string, isOf: (data: JobData) => boolean, isDry: boolean): Promise<number>;
  /** Ends what is left: workers by force, connections that were opened here. */
  close(): Promise<void>;
}

export interface WorkOptions {
  /** Jobs at a time. */
  concurrency: number;
  /**
   * Resolves: the job is done. Throws RetryLater: it comes back after that delay, as often as it takes.
   * Throws anything else: `onError` hears of it and the job is gone, for the ledger to add again.
   * `signal` aborts when the worker is closed by force: what is thrown then puts the job back.
   */
  handler(job: Job, signal: AbortSignal): Promise<void>;
  onError(error: Error): void;
  /** The queue has nothing for this worker just now. Others may still be at work, jobs may be delayed. */
  onDrained?(): void;
  /** Take nothing before `resume()`. */
  paused?: boolean;
}

export interface Worker {
  /** Takes no more work. What is being worked on goes on. */
  pause(): void;
  resume(): void;
  /**
   * Takes no more work and resolves when all of it is done. With `force`, also after a `close()` that
   * still waits: aborts the handlers and gives them a second to hand their jobs back.
   */
  close(options?: { force: boolean }): Promise<void>;
}

/** Thrown by a handler: this job again, but later. */
export class RetryLater extends Error {
  override readonly name = 'RetryLater';

  constructor(readonly delayMs: number) {
    super(`again in ${delayMs} ms`);
  }
}
