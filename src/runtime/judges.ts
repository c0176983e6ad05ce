import type { Classifier } from '../classifier/index.js';
import type { Job, Queues, Worker } from '../queue/index.js';
import type { QueueNames } from './queue-names.js';

/** One image is scored while the next is decoded. */
const concurrency = 2;

interface Judge {
  classifier: Classifier;
  /** How many runs use it. */
  users: number;
  worker: Worker;
}

export interface JudgesOptions {
  queues: Queues;
  names: QueueNames;
  handle: (job: Job, signal: AbortSignal) => Promise<void>;
  onError: (error: unknown) => void;
}

/** The role that scores candidates, one for each model, for all runs whose gate it is. */
export class Judges {
  readonly #judges = new Map<string, Promise<Judge>>();

  readonly #options: JudgesOptions;

  constructor(options: JudgesOptions) {
    this.#options = options;
  }

  /** The judge of a model, opened by `open` where there is none yet, until `release` has been called as often. */
  async use(key: string, open: () => Promise<Classifier>): Promise<Classifier> {
    const judge = this.#judges.get(key) ?? this.#open(key, open);
    this.#judges.set(key, judge);
    try {
      const opened = await judge;
      opened.users++;
      return opened.classifier;
    } catch (error) {
      this.#judges.delete(key);
      throw error;
    }
  }

  async release(key: string): Promise<void> {
    const judge = await this.#judges.get(key);
    if (!judge || --judge.users > 0) return;
    this.#judges.delete(key);
    await judge.worker.close();
    await judge.classifier.close();
  }

  /** Takes no more candidates. */
  async stop(force: boolean): Promise<void> {
    const judges = await Promise.all(this.#judges.values());
    await Promise.all(judges.map(({ worker }) => worker.close({ force })));
  }

  async #open(key: string, open: () => Promise<Classifier>): Promise<Judge> {
    const classifier = await open();
    const { queues, names, handle, onError } = this.#options;
    const worker = queues.work(names.classify(key), { concurrency, handler: handle, onError });
    return { classifier, users: 0, worker };
  }
}
