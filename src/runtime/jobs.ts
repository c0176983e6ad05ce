import { QueueError } from '../errors.js';
import { Pictures } from '../images/index.js';
import { RetryLater, type Job } from '../queue/index.js';
import { classify } from '../../workers/classify.js';
import { generate } from '../../workers/generate.js';
import type { Agent } from './agent.js';
import { advanceDependencies, generateDependencies } from './dependencies.js';
import type { OpenRun } from './open-run.js';
import type { QueueNames } from './queue-names.js';
import type { State } from './state.js';

/** How soon a job of a run that others work on is offered again. */
const strangerMs = 1_000;

export interface JobsOptions {
  state: State;
  names: QueueNames;
  /** A run that is worked on here. */
  find: (run: string) => OpenRun | undefined;
  /** A bug, or a failure that ends a run here. */
  onError: (run: string, error: unknown) => void;
}

/** What the agents and judges of this process do with a job: which run it belongs to decides by which rules. */
export class Jobs {
  /** What came lately, from any server for any run. */
  readonly #pictures = new Pictures();

  readonly #options: JobsOptions;

  constructor(options: JobsOptions) {
    this.#options = options;
  }

  async generate(agent: Agent, lane: string, job: Job, signal: AbortSignal): Promise<void> {
    const { state, names, find } = this.#options;
    const open = find(job.data.run);
    const member = agent.memberOf(job.data.run);
    if (!open || !member) return this.#stranger(job);
    const dependencies = generateDependencies(state, open, {
      classifyQueue: names.classify(open.judge.key),
      pictures: this.#pictures,
    });
    await this.#work(open, signal, (either) =>
      generate(dependencies, job.data, { backend: member, lane }, either),
    );
  }

  async classify(job: Job, signal: AbortSignal): Promise<void> {
    const { state, find } = this.#options;
    const open = find(job.data.run);
    if (!open?.judge.classifier) return this.#stranger(job);
    const { classifier } = open.judge;
    // Any number of judges may score a candidate: the first verdict counts, so no lease is needed.
    const dependencies = { ...advanceDependencies(state, open, state.ledger), classifier };
    await this.#work(open, signal, (either) => classify(dependencies, job.data, either));
  }

  async #work(
    open: OpenRun,
    jobSignal: AbortSignal,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const signal = AbortSignal.any([open.signal, jobSignal]);
    try {
      await open.during(work(signal));
    } catch (error) {
      if (error instanceof RetryLater) throw error;
      // Whatever broke because this process leaves, or the run is cancelled, is no failure: the ledger says what is due.
      if (signal.aborted) throw new RetryLater(0);
      if (!(error instanceof QueueError)) {
        this.#options.onError(open.id, error);
        return;
      }
      // The next comparison with the ledger adds what is missing.
      const { message, isTold } = error;
      if (isTold) return;
      this.#options.state.events.emit({ type: 'warning', run: open.id, code: 'queue-away', message });
    }
  }

  /** A job of a run that is not worked on here: others may, or nobody any more. */
  async #stranger({ data }: Job): Promise<void> {
    const { ledger, isShared } = this.#options.state;
    const run = isShared ? await ledger.run(data.run) : undefined;
    if (run?.state === 'running') throw new RetryLater(strangerMs);
  }
}
