import { join } from 'node:path';
import { sweepTemporary } from '../base/atomic.js';
import type { BackendHealthState } from '../backends/index.js';
import { refusalOfPostgres } from '../base/refusals.js';
import { ConfigError, QueueError, StorageError, toError } from '../errors.js';
import type { Ledger, Run } from '../ledger/index.js';
import { isOver, type RunState } from '../loop/index.js';
import { addressOf } from '../net/index.js';
import type { Pipeline } from '../pipeline/index.js';
import type { Agent } from './agent.js';
import { Agents } from './agents.js';
import { stopServers } from './cancel.js';
import { changesSince } from './changes-since.js';
import { Coordinator } from './coordinator.js';
import { EventLog } from './event-log.js';
import { finishRun, summaryOf, type RunSummary } from './finish.js';
import { allRoles, attachMembers, openHeld, type Held, type Role } from './held.js';
import { Jobs } from './jobs.js';
import { Judges } from './judges.js';
import type { OpenRun } from './open-run.js';
import { prepare, type Prepared, type PrepareOptions } from './prepare.js';
import { QueueNames } from './queue-names.js';
import { Roles, runLease } from './roles.js';
import type { ServerStatus } from './service.js';
import { recordedRun, type Task } from './start.js';
import { othersMs, type State } from './state.js';
import { vainSettings } from './vain.js';

export interface HereOptions {
  /**
   * The roles that this process takes, also of runs that others record. Default: all, of its own runs; its servers, which
   * nobody else may serve, make what runs of others ask of them.
   */
  roles?: readonly Role[];
  openClassifier?: PrepareOptions['openClassifier'];
}

/** How often the queues are compared with the ledger: a job that got lost (a flushed Redis) comes back. */
const compareMs = 5_000;
/** Where other processes work on the same runs, what they did is seen so soon. */
const sharedCompareMs = 1_000;
const totalsMs = 1_000;
/** What opening another's run may take. */
const joinMs = 60_000;

export interface TakeOptions {
  env: NodeJS.ProcessEnv;
  /** Aborts what is being opened. */
  signal: AbortSignal;
  /** Hears of the run before anything is told of it. */
  onTaken?: (run: Run) => void;
}

/** Holds the roles of any number of runs in this process: a coordinator for each, agents and judges for all. */
export class RunHere {
  readonly #state: State;
  readonly #options: HereOptions;
  readonly #names: QueueNames;
  readonly #agents: Agents;
  readonly #judges: Judges;
  readonly #roles: Roles;
  readonly #log: EventLog;
  readonly #runs = new Map<string, Held>();
  readonly #outcomes = new Map<string, Promise<RunSummary>>();
  /** Runs of others that cannot be served from here, each told of once. */
  readonly #refused = new Set<string>();
  readonly #timers: NodeJS.Timeout[];
  #cleared: Promise<void> | undefined;
  #looking: Promise<void> | undefined;
  #again = false;
  #stopping = false;
  #refreshing: Promise<void> | undefined;
  /** Whatever waits for the ledger's server waits no longer. */
  readonly #hurry = new AbortController();

  constructor(state: State, options: HereOptions = {}) {
    this.#state = state;
    this.#options = options;
    this.#names = new QueueNames(state.ledger.id, state.store);
    const jobs = new Jobs({
      state,
      names: this.#names,
      find: (run) => this.#runs.get(run)?.open,
      onError: (run, error) => this.#fail(run, error),
    });
    this.#agents = new Agents(state.queues, {
      ledger: state.ledger,
      mayTake: (run) => this.#runs.get(run)?.open.isTaking ?? false,
      handle: (agent, lane, job, signal) => jobs.generate(agent, lane, job, signal),
      onHealth: (agent, health, reason) => this.#onHealth(agent, health, reason),
      onError: this.#onError,
    });
    this.#judges = new Judges({
      queues: state.queues,
      names: this.#names,
      handle: (job, signal) => jobs.classify(job, signal),
      onError: this.#onError,
    });
    this.#roles = new Roles({
      state,
      agents: this.#agents,
      runs: () => this.#runs.values(),
      find: (run) => this.#runs.get(run),
      coordinate: (open, ledger) => this.#coordinator(open, ledger),
      onLost: () => this.#watch(this.look()),
      onError: (run, error) => this.#fail(run, error),
    });
    this.#log = new EventLog(state.events, state.ledger, () => this.#runs.keys());
    this.#timers = [
      setInterval(() => this.#watch(this.look()), state.isShared ? sharedCompareMs : compareMs),
      setInterval(() => {
        // One is enough while the ledger's server keeps it waiting.
        this.#refreshing ??= this.refresh().finally(() => (this.#refreshing = undefined));
        this.#watch(this.#refreshing);
      }, totalsMs),
    ];
  }

  /** The runs that this process took on: without those of others, which its servers work for. */
  get runs(): OpenRun[] {
    return [...this.#runs.values()].filter(isCarried).map(({ open }) => open);
  }

  find(run: string): OpenRun | undefined {
    return this.#runs.get(run)?.open;
  }

  /**
   * Takes a run on: opens its models, asks its servers, and only then records it, so that a pipeline that cannot run
   * leaves no run behind. ConfigError where it cannot, or another process carries the run.
   */
  async take(task: Task, { env, signal, onTaken }: TakeOptions): Promise<OpenRun> {
    const roles = this.#options.roles ?? allRoles;
    const prepared = await this.#prepare(task, roles, { env, signal });
    try {
      const run = await task.record(signal);
      if (roles.includes('coordinate') && !(await this.#roles.coordination(run.id))) {
        throw new ConfigError(
          `another reroll process works on ${run.id}, on this machine or on one that shares its database. Wait until it is done, or stop it there.`,
        );
      }
      await this.#sweep(run, task.recorded !== undefined);
      // Before anybody can pause it: a pause must not be undone by the start.
      await this.#state.ledger.moveRun(run.id, 'running');
      onTaken?.(run);
      const open = await this.#hold(run, prepared, roles);
      this.#watch(open.during(this.#tellChanged(task)), run.id);
      this.#watch(this.look());
      return open;
    } catch (error) {
      await prepared.release().catch(() => undefined);
      throw error;
    }
  }

  /** Resolves when the run has ended, or is left: with how it stands then. undefined where it never was held. */
  ended(run: string): Promise<RunSummary> | undefined {
    return this.#outcomes.get(run);
  }

  /** Hears of each run whose events have just been written. Returns the function that stops listening. */
  onLogged(listener: (run: string) => void): () => void {
    return this.#log.listen(listener);
  }

  servers(): ServerStatus[] {
    return [...this.#agents].map(({ address, members, health: { state, reason }, info, lease }) => ({
      address,
      names: [...new Set([...members].map(({ name }) => name))],
      state,
      ...(state !== 'well' && { reason }),
      ...(info?.checkpoint !== undefined && { checkpoint: info.checkpoint }),
      isServed: lease !== undefined,
    }));
  }

  /** Compares what is due with what is queued, for every run, and sends agents where there is work. */
  look(): Promise<void> {
    this.#again = this.#looking !== undefined;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
      if (this.#again) this.#watch(this.look());
    });
    return this.#looking;
  }

  /** Reads how the runs stand: others may have paused, cancelled or finished them. */
  async refresh(): Promise<void> {
    for (const { open } of [...this.#runs.values()]) {
      try {
        const progress = await this.#state.ledger.progress(open.id);
        this.#state.events.emit({ type: 'totals', progress });
        if (progress.state !== open.state) await this.#moved(open, progress.state);
      } catch (error) {
        this.#fail(open.id, error);
      }
    }
  }

  /** Ends a run and all its open shots as cancelled, and tells its servers to stop. */
  async cancel(run: string): Promise<void> {
    const held = this.#runs.get(run);
    if (!held) return;
    const { open } = held;
    const sent = await this.#state.ledger.cancelRun(run);
    open.state = 'cancelled';
    // Before the servers are told: what they break off then is no failure of theirs.
    open.abort();
    await stopServers(this.#state, run, sent, async (name) => {
      return open.members.find((member) => member.name === name)?.backend;
    });
    await this.#end(held);
  }

  /** Stops working on a run and leaves it as it is, when what its servers hold is there. */
  async leave(run: string): Promise<void> {
    const held = this.#runs.get(run);
    if (held) await this.#end(held);
  }

  /** Leaves all runs: what servers hold is finished first, or with `force` given back at once. */
  async stop({ force }: { force: boolean }): Promise<void> {
    this.#stopping = true;
    if (force) this.#hurry.abort();
    this.#timers.forEach((timer) => clearInterval(timer));
    const held = [...this.#runs.values()];
    for (const { open } of held) {
      open.isLeaving = true;
      if (force) open.abort();
    }
    await Promise.all([...this.#agents].map((agent) => agent.close(force)));
    await this.#judges.stop(force);
    await Promise.all(held.map((run) => this.#end(run)));
    await this.#log.close();
    if (!force && (await this.#state.ledger.openRuns()).length === 0) await this.#clearQueues();
    await this.#roles.close();
    this.#hurry.abort();
  }

  /** What processes that were killed left: of the run, and in the queues before this one uses them. */
  async #sweep(run: Run, isRecorded: boolean): Promise<void> {
    const folder = join(run.outputDir, run.id);
    if (isRecorded) await sweepTemporary(folder, this.#state.isShared ? othersMs : 0);
    await (this.#cleared ??= this.#clearQueues());
  }

  /** The ledger says what belongs there. Where others share it, they are at work on it. */
  async #clearQueues(): Promise<void> {
    if (this.#state.isShared) return;
    // A server that does not answer is told of when jobs are added, and what lies there harms nothing.
    await this.#state.queues.clearAll(`-${this.#names.place}-`).catch(() => undefined);
  }

  /** Whoever edits a file and resumes may think that it counts. */
  async #tellChanged({ recorded, files }: Task): Promise<void> {
    if (!recorded) return;
    for (const message of await changesSince(this.#state, recorded, files))
      this.#state.events.emit({ type: 'warning', run: recorded.id, code: 'file-changed', message });
  }

  #prepare({ pipeline, files }: Task, roles: readonly Role[], from: Pick<PrepareOptions, 'env' | 'signal'>) {
    const { openClassifier } = this.#options;
    const judges = roles.includes('judge') ? this.#judges : undefined;
    return prepare(pipeline, {
      ...from,
      files,
      ...(judges && { judges }),
      ...(openClassifier && { openClassifier }),
    });
  }

  async #hold(run: Run, prepared: Prepared, roles: readonly Role[]): Promise<OpenRun> {
    this.#state.ledger.bePatient(this.#hurry.signal);
    const held = await openHeld(this.#state, this.#agents, { run, prepared, roles });
    this.#runs.set(run.id, held);
    this.#outcomes.set(run.id, held.ended.promise);
    attachMembers(this.#state, held);
    return held.open;
  }

  async #look(): Promise<void> {
    if (this.#stopping) return;
    if (this.#state.isShared) await this.#join();
    await this.#roles.takeFree();
    for (const held of [...this.#runs.values()]) {
      if (held.closing) continue;
      try {
        await this.#lookAt(held);
      } catch (error) {
        this.#fail(held.open.id, error);
      }
    }
    await this.#agents.settle();
  }

  /** Offers a run's lanes to the agents of its servers, and lets its coordinator fill their queues. */
  async #lookAt({ open, coordinator }: Held): Promise<void> {
    const due = [];
    for (const lane of await this.#state.ledger.dueLanes(open.id)) {
      const servers = await open.whoCan(lane);
      const queue = this.#names.generate(lane.lane, servers.identities);
      for (const member of servers.able) member.agent.offer(queue, open.id, lane);
      due.push({ lane, queue, servers });
    }
    await coordinator?.compare(due);
  }

  /** Works on the runs that others recorded: with the roles that it was started for, or for those who need its servers. */
  async #join(): Promise<void> {
    for (const run of await this.#state.ledger.openRuns()) {
      const isKnown =
        this.#runs.has(run.id) || this.#roles.isCoordinating(run.id) || this.#refused.has(run.id);
      if (isKnown || run.store !== this.#state.store) continue;
      try {
        const roles = this.#options.roles ?? ['generate'];
        if (!this.#options.roles && !(await this.#isCarriedElsewhere(run))) continue;
        const from = { env: process.env, signal: AbortSignal.timeout(joinMs) };
        const task = await recordedRun(this.#state, run, from.env);
        if (!this.#options.roles && !this.#serves(task.pipeline)) continue;
        await this.#hold(run, await this.#prepare(task, roles, from), roles);
      } catch (error) {
        // The next look may find the ledger's server well again.
        if (error instanceof StorageError && refusalOfPostgres(error) !== undefined) return;
        this.#refused.add(run.id);
        const message = `${run.id} is left to other processes: ${toError(error).message}`;
        this.#state.events.emit({ type: 'warning', code: 'run-elsewhere', message });
      }
    }
  }

  async #isCarriedElsewhere({ id }: Run): Promise<boolean> {
    const [lease] = await this.#state.ledger.leases(runLease(id));
    return lease?.held ?? false;
  }

  /** Whether a server that the pipeline names is served from here, and so by nobody else. */
  #serves({ backends }: Pipeline): boolean {
    const served = new Set([...this.#agents].flatMap(({ lease, address }) => (lease ? address : [])));
    return backends.some((backend) => 'url' in backend && served.has(addressOf(backend.url)));
  }

  #coordinator(open: OpenRun, ledger: Ledger): Coordinator {
    const backends = open.members.map(({ backend }) => backend);
    for (const message of open.judge.classifier?.notes ?? []) {
      this.#state.events.emit({ type: 'warning', run: open.id, code: 'model-note', message });
    }
    for (const message of vainSettings(open.pipeline, backends)) {
      this.#state.events.emit({ type: 'warning', run: open.id, code: 'setting-in-vain', message });
    }
    return new Coordinator({
      state: this.#state,
      open,
      ledger,
      names: this.#names,
      agents: this.#agents,
      look: () => this.look(),
      onEnd: () => this.#watch(this.leave(open.id), open.id),
      onError: (error) => this.#fail(open.id, error),
    });
  }

  async #moved(open: OpenRun, to: RunState): Promise<void> {
    switch (to) {
      case 'paused':
      case 'running':
        open.state = to;
        this.#state.events.emit({ type: 'run', run: open.id, state: to });
        if (to === 'paused') open.clock.stop();
        else open.clock.goOn();
        if (to === 'paused') this.#runs.get(open.id)?.coordinator?.pause();
        for (const { agent } of open.members) agent.steer();
        return this.look();
      case 'cancelled':
        return this.cancel(open.id);
      case 'completed':
        open.state = to;
        return this.leave(open.id);
    }
  }

  #onHealth(agent: Agent, state: BackendHealthState, reason?: string): void {
    for (const member of agent.members) {
      const { run, name } = member;
      member.forgetLacks();
      this.#state.events.emit({
        type: 'backend',
        run,
        backend: name,
        state,
        ...(reason !== undefined && { reason }),
      });
    }
    agent.steer();
    this.#watch(this.look());
  }

  #end(held: Held): Promise<void> {
    held.closing ??= this.#close(held);
    return held.closing;
  }

  async #close(held: Held): Promise<void> {
    const { open, coordinator, ended } = held;
    const { ledger, events } = this.#state;
    try {
      open.isLeaving = true;
      for (const { agent } of open.members) agent.steer();
      await open.settled();
      await coordinator?.stop();
      const lease = coordinator && (await this.#roles.coordination(open.id));
      const worked = { seconds: open.clock.ms / 1000, attemptsBefore: open.before.attempts };
      const summary = lease
        ? await finishRun(this.#state, open.id, open.pipeline, { ...worked, ledger: ledger.under(lease) })
        : await summaryOf(this.#state, open.id, worked);
      events.emit({ type: 'totals', progress: await ledger.progress(open.id) });
      const state = isOver(summary.state) ? summary.state : 'interrupted';
      // A process that only helped interrupts nothing.
      if (isCarried(held) || isOver(state)) events.emit({ type: 'run', run: open.id, state });
      await this.#release(held);
      ended.resolve(summary);
    } catch (error) {
      ended.reject(error);
      await this.#release(held).catch(() => undefined);
    }
  }

  async #release(held: Held): Promise<void> {
    const { open, prepared } = held;
    await this.#log.flush();
    this.#runs.delete(open.id);
    for (const { agent } of open.members) {
      agent.detach(open.id);
      if (agent.isNamed) continue;
      this.#agents.drop(agent);
      await agent.close(false);
      await this.#roles.giveUpServer(agent);
    }
    await prepared.release();
    await this.#roles.giveUpRun(held);
  }

  /** A failure that ends the run here; the others go on. */
  #fail(run: string, error: unknown): void {
    const held = this.#runs.get(run);
    if (error instanceof QueueError) {
      // The next comparison with the ledger adds what is missing.
      if (error.isTold) return;
      this.#state.events.emit({ type: 'warning', run, code: 'queue-away', message: error.message });
    } else if (held) {
      held.ended.reject(error);
      this.#watch(this.#end(held));
    }
  }

  /** A failure that no run is known to have caused ends them all. */
  readonly #onError = (error: unknown): void => {
    for (const run of [...this.#runs.keys()]) this.#fail(run, error);
  };

  /** Runs work that nobody waits for; `run`: whose alone it is. */
  #watch(work: Promise<unknown>, run?: string): void {
    void work.catch((error: unknown) => (run === undefined ? this.#onError(error) : this.#fail(run, error)));
  }
}

const isCarried = ({ roles }: Held): boolean => roles.includes('coordinate');
