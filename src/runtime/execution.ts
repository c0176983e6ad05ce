import { QueueError } from '../errors.js';
import type { AttemptKey } from '../ledger/index.js';
import { RetryLater, type Job, type Worker } from '../queue/index.js';
import { classify, reconsider, type ClassifyDependencies } from '../../workers/classify.js';
import { generate, type GenerateDependencies } from '../../workers/generate.js';
import { stopServers } from './cancel.js';
import { makeClassifyDependencies, makeGenerateDependencies } from './dependencies.js';
import { Ending } from './ending.js';
import { jobOf, Lanes } from './lanes.js';
import type { Member } from './pool.js';
import { classifyQueue, queuesOf } from './queue-names.js';
import type { ActiveRun, RunSignals, Work } from './run.js';
import { vainChanges } from './vain.js';

/** How often the queues are compared with the ledger: a job that got lost (a flushed Redis) comes back. */
const reconcileMs = 5_000;
const totalsMs = 1_000;
const classifyWindow = 400;
/** One image is scored while the next is decoded. */
const classifyConcurrency = 2;

/** The workers and queues of one run, from start to stop; `ending` says when to stop. */
export class Execution implements ActiveRun {
  readonly id: string;
  readonly ending = new Ending();
  readonly #cancelled = new AbortController();
  readonly #signal: AbortSignal;
  readonly #lanes: Lanes;
  readonly #generateDependencies: GenerateDependencies;
  readonly #classifyDependencies: ClassifyDependencies;
  readonly #classifyQueue: string;
  #classifyWorker: Worker | undefined;
  #reconsidering = false;
  /** Queues whose jobs nobody wants any more. */
  #stale: string[] = [];
  #timers: NodeJS.Timeout[] = [];

  constructor(
    private readonly work: Work,
    private readonly signals: RunSignals,
  ) {
    const { state, run, pool } = work;
    this.id = run.id;
    this.#signal = AbortSignal.any([this.#cancelled.signal, signals.force]);
    this.#classifyQueue = classifyQueue(run.id);
    this.#lanes = new Lanes({
      state,
      run: run.id,
      members: pool.members,
      signal: this.#signal,
      handle: (key, member, signal) => this.#generate(key, member, signal),
      onBug: this.#fail,
      onFailed: this.#onFailed,
    });
    const addClassify = (key: AttemptKey) => state.queues.add(this.#classifyQueue, [jobOf(key, 0)]);
    this.#generateDependencies = makeGenerateDependencies(work, this.#lanes, addClassify, this.#onFailed);
    this.#classifyDependencies = makeClassifyDependencies(
      work,
      this.#lanes,
      this.#onFailed,
      this.#onShotEnded,
    );
  }

  async start(): Promise<void> {
    const { state, pool, pipeline } = this.work;
    const backends = pool.members.map(({ backend }) => backend);
    // Nobody listened yet when the servers were asked for the first time.
    for (const { name, health } of pool.members) {
      if (health.state === 'well') continue;
      state.events.emit({ type: 'backend', backend: name, state: health.state, reason: health.reason });
    }
    const { notes = [] } = this.work.classifier;
    for (const message of [...notes, ...vainChanges(pipeline.retry.ladder, backends)]) {
      state.events.emit({ type: 'warning', message });
    }
    // The queues of a run belong to this process alone: what a dead one left there is rebuilt from the ledger.
    for (const queue of await queuesOf(state, this.id)) await state.queues.clear(queue);

    pool.onHealth = () => this.#watch(this.#lanes.onHealth());
    pool.onTaking = () => this.#lanes.steer();
    this.#classifyWorker = state.queues.work(this.#classifyQueue, {
      concurrency: classifyConcurrency,
      handler: (job, signal) => this.#classify(job, signal),
      onError: this.#fail,
      onDrained: () => this.#watch(this.#reconcile()),
    });
    this.#timers = [
      setInterval(() => this.#watch(this.#reconcile()), reconcileMs),
      setInterval(() => this.#watch(this.#emitTotals()), totalsMs),
    ];
    for (const signal of Object.values(this.signals) as AbortSignal[]) {
      if (signal.aborted) this.ending.end();
      else signal.addEventListener('abort', this.ending.end, { once: true });
    }
    state.events.emit({ type: 'run', run: this.id, state: 'running' });
    await this.#reconcile();
  }

  async stop(): Promise<void> {
    this.#timers.forEach((timer) => clearInterval(timer));
    for (const signal of Object.values(this.signals) as AbortSignal[]) {
      signal.removeEventListener('abort', this.ending.end);
    }
    this.work.pool.onHealth = () => undefined;
    this.work.pool.onTaking = () => undefined;
    const force = this.#signal.aborted;
    // A second Ctrl-C while the first one's work is finished here forces the rest.
    const onForce = () => this.#watch(this.#close(true));
    this.signals.force.addEventListener('abort', onForce, { once: true });
    await this.#close(force);
    this.signals.force.removeEventListener('abort', onForce);
    for (const queue of this.#stale) await this.work.state.queues.clear(queue).catch(this.#fail);
    await this.#emitTotals();
  }

  async setPaused(paused: boolean): Promise<void> {
    const state = paused ? 'paused' : 'running';
    await this.work.state.ledger.moveRun(this.id, state);
    this.#lanes.setPaused(paused);
    this.work.state.events.emit({ type: 'run', run: this.id, state });
  }

  async cancel(): Promise<void> {
    const { state, pool } = this.work;
    // Asked a second time, the ledger no longer knows them.
    this.#stale.push(...(await queuesOf(state, this.id)));
    const sent = await state.ledger.cancelRun(this.id);
    // Before the servers are told: what they break off then is no failure of theirs.
    this.#cancelled.abort();
    await stopServers(
      state,
      this.id,
      sent,
      async (name) => pool.members.find((member) => member.name === name)?.backend,
    );
    this.ending.end();
  }

  async #generate(key: AttemptKey, member: Member, jobSignal: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([this.#signal, jobSignal]);
    try {
      await generate(this.#generateDependencies, key, member, signal);
    } catch (error) {
      // Whatever broke because this process leaves is no failure: the ledger still says that it is due.
      throw signal.aborted ? new RetryLater(0) : error;
    }
  }

  async #classify({ data }: Job, jobSignal: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([this.#signal, jobSignal]);
    try {
      await classify(this.#classifyDependencies, { run: this.id, ...data }, signal);
      await this.#reconsider();
    } catch (error) {
      throw signal.aborted ? new RetryLater(0) : error;
    }
  }

  /** Adds to the queues what the ledger says is due, and looks whether the run is over. */
  async #reconcile(): Promise<void> {
    const { state } = this.work;
    await this.#lanes.refresh();
    const generated = await state.ledger.dueAttempts(this.id, 'generated', classifyWindow);
    await state.queues.add(
      this.#classifyQueue,
      generated.map((attempt) => jobOf(attempt, attempt.priority)),
    );
    await this.#reconsider();
    await this.#checkEnd();
  }

  /** Shots that wait for the run's budget: others have moved on since. */
  async #reconsider(): Promise<void> {
    if (this.work.pipeline.retry.run_attempts === undefined) return;
    if (this.#reconsidering) return;
    this.#reconsidering = true;
    try {
      const waiting = await this.work.state.ledger.waitingShots(this.id);
      // Answers change from the ends alone: what comes first is granted first, what comes last is refused first.
      for (const order of [waiting, waiting.toReversed()]) {
        for (const key of order) if (!(await reconsider(this.#classifyDependencies, key))) break;
      }
    } finally {
      this.#reconsidering = false;
    }
  }

  /** A queue's server that is away for a while comes back, and the next comparison with the ledger adds the rest. */
  readonly #fail = (error: unknown): void => {
    if (error instanceof QueueError) {
      this.work.state.events.emit({ type: 'warning', message: error.message });
    } else this.ending.fail(error);
  };

  /** Runs work that nobody waits for. */
  readonly #watch = (work: Promise<unknown>): void => void work.catch(this.#fail);

  readonly #onFailed = ({ shot }: Pick<AttemptKey, 'shot'>, reason: string): void => {
    this.work.state.events.emit({ type: 'shot-ended', run: this.id, shot, outcome: 'failed', reason });
    this.#onShotEnded();
  };

  readonly #onShotEnded = (): void => this.#watch(this.#checkEnd());

  async #checkEnd(): Promise<void> {
    if ((await this.work.state.ledger.openShots(this.id)) === 0) this.ending.end();
  }

  async #close(force: boolean): Promise<void> {
    await this.#lanes.close(force);
    await this.#classifyWorker?.close({ force });
  }

  async #emitTotals(): Promise<void> {
    const { events, ledger } = this.work.state;
    events.emit({ type: 'totals', progress: await ledger.progress(this.id) });
  }
}
