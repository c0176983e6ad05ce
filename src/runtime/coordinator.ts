import { describeLacks } from '../backends/index.js';
import { toError } from '../errors.js';
import type { AttemptKey, DueLane, Ledger } from '../ledger/index.js';
import { reconsider, type AdvanceDependencies } from '../../workers/classify.js';
import { giveUp } from '../../workers/generate.js';
import type { Agents } from './agents.js';
import { advanceDependencies } from './dependencies.js';
import { runOf, type Place, type RunEvent, type WarningCode } from './events.js';
import { LiveReport } from './live-report.js';
import type { LaneServers, OpenRun } from './open-run.js';
import type { QueueNames } from './queue-names.js';
import { reportRun } from './report.js';
import type { State } from './state.js';
import { jobOf, Window } from './window.js';

/** Jobs in a window for each slot that can take them: enough that a server finds its next one, few enough for turns. */
const jobsPerSlot = 4;
const smallestWindow = 16;
/** Candidates of the run in the queue for its model. */
const classifyWindow = 100;
/** Attempts of a lane that nobody can serve, given up at a time. */
const page = 400;

export interface CoordinatorOptions {
  state: State;
  open: OpenRun;
  /** Its moves are guarded by the run's lease. */
  ledger: Ledger;
  names: QueueNames;
  agents: Agents;
  /** A lane that is not known yet has work. */
  look: () => Promise<void>;
  /** Every shot has ended. */
  onEnd: () => void;
  onError: (error: unknown) => void;
}

/** The role that carries one run: puts due attempts into the queues, shares out its budget, and sees when it is over. */
export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #dependencies: AdvanceDependencies;
  readonly #lanes = new Map<string, { queue: string; window: Window; drained: boolean }>();
  readonly #told = new Set<string>();
  #topUps = new Map<string, Promise<void>>();
  #reconsidering: Promise<void> | undefined;
  readonly #report: LiveReport;
  #stopListening: () => void;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    const { state, open, ledger } = options;
    this.#dependencies = advanceDependencies(state, open, ledger);
    this.#stopListening = state.events.listen((event) => {
      if (runOf(event) === open.id) this.#watch(this.#hear(event));
    });
    this.#report = new LiveReport({
      attempts: async () => (await ledger.progress(open.id)).attempts,
      write: async (signal) => {
        await reportRun(ledger, open.run, open.pipeline, { isOver: false, signal });
      },
      onError: (error) => this.#warn('no-report', `The report is not written: ${toError(error).message}`),
    });
  }

  /** Resolves when the report is not being written any more. */
  stop(): Promise<void> {
    this.#stopListening();
    return this.#report.stop();
  }

  /** Compares the queues with the ledger: adds what is missing (a job that got lost comes back), and looks for the end. */
  async compare(due: { lane: DueLane; queue: string; servers: LaneServers }[]): Promise<void> {
    for (const { lane, queue, servers } of due) {
      if (servers.hopeless !== undefined) {
        await this.#giveUp(lane.lane, servers.hopeless);
        continue;
      }
      this.#tellWhoIsLeftOut(servers);
      if (this.#options.open.isTaking) await this.#fill(lane.lane, queue, servers);
    }
    const { state, open, ledger, names } = this.#options;
    const generated = await ledger.dueAttempts(open.id, 'generated', classifyWindow);
    await state.queues.add(
      names.classify(open.judge.key),
      generated.map((attempt) => jobOf(attempt, attempt.priority)),
    );
    await this.#reconsider();
    await this.#checkEnd();
  }

  /** Nothing may be sent now: what is queued is dropped where it comes up, and added again when the run goes on. */
  pause(): void {
    this.#lanes.clear();
  }

  async #hear(event: RunEvent): Promise<void> {
    switch (event.type) {
      case 'due':
        return this.#add(event.key, event.place);
      case 'generating':
        for (const { window } of this.#lanes.values()) window.resume(event.key);
        return;
      case 'server-error':
      case 'refused':
        for (const { window } of this.#lanes.values()) window.delay(event.key);
        return this.#topUp();
      case 'generated':
        for (const { window } of this.#lanes.values()) window.remove(event.key);
        return this.#topUp();
      case 'judged':
        return this.#reconsider();
      case 'shot-ended':
        return this.#checkEnd();
      case 'run':
      case 'retried':
      case 'backend':
      case 'progress':
      case 'totals':
      case 'warning':
        return;
    }
  }

  /** Puts one attempt that just became due into its queue; where there is no room, it waits in the ledger. */
  async #add(key: AttemptKey, place: Place | undefined): Promise<void> {
    const { open, state, agents, look } = this.#options;
    if (!open.isTaking) return;
    const lane = place && this.#lanes.get(place.lane);
    if (!lane) return look();
    if (lane.window.room === 0) {
      lane.drained = false;
      return;
    }
    lane.window.put([key]);
    await state.queues.add(lane.queue, [jobOf(key, place.priority)]);
    if (!agents.isServed(lane.queue)) await agents.settle();
  }

  async #fill(name: string, queue: string, { able }: LaneServers): Promise<void> {
    const { state, open, ledger } = this.#options;
    const slots = able.reduce((sum, { config }) => sum + config.slots, 0);
    const lane = this.#lanes.get(name) ?? {
      queue,
      window: new Window(Math.max(smallestWindow, jobsPerSlot * slots)),
      drained: false,
    };
    this.#lanes.set(name, lane);
    const attempts = await ledger.dueAttempts(open.id, 'due', lane.window.reach, name);
    lane.drained = attempts.length < lane.window.reach;
    lane.window.renew(attempts);
    await state.queues.add(
      lane.queue,
      attempts.map((attempt) => jobOf(attempt, attempt.priority)),
    );
  }

  /** Fills the windows that have run low, while the ledger has more for them. */
  async #topUp(): Promise<void> {
    for (const [name, lane] of this.#lanes) {
      if (lane.drained || !lane.window.isLow || !this.#options.open.isTaking) continue;
      const running =
        this.#topUps.get(name) ?? this.#readOn(name, lane).finally(() => this.#topUps.delete(name));
      this.#topUps.set(name, running);
      await running;
    }
  }

  async #readOn(name: string, lane: { queue: string; window: Window; drained: boolean }): Promise<void> {
    const { state, open, ledger } = this.#options;
    const { window } = lane;
    const reach = window.reach;
    const attempts = await ledger.dueAttempts(open.id, 'due', reach, name);
    lane.drained = attempts.length < reach;
    const fresh = attempts.filter((attempt) => !window.has(attempt)).slice(0, window.room);
    window.put(fresh);
    await state.queues.add(
      lane.queue,
      fresh.map((attempt) => jobOf(attempt, attempt.priority)),
    );
  }

  /** Says once of a backend what it lacks: it would stand idle all night, and nobody would know why. */
  #tellWhoIsLeftOut({ lacks: all }: LaneServers): void {
    for (const [{ name }, lacks] of all) {
      if (lacks.length > 0)
        this.#warn('backend-left-out', `${name} is left out of some prompts: ${describeLacks(lacks)}`);
    }
  }

  /** Says each thing once. */
  #warn(code: WarningCode, message: string): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    const { state, open } = this.#options;
    state.events.emit({ type: 'warning', run: open.id, code, message });
  }

  /** Nobody will ever do what is due in a lane. */
  async #giveUp(lane: string, reason: string): Promise<void> {
    const { open, ledger } = this.#options;
    const { onEvent } = this.#dependencies;
    const repairDropped = () =>
      this.#warn('repair-dropped', `Images are made anew instead of repaired: ${reason}`);
    for (;;) {
      const attempts = await ledger.dueAttempts(open.id, 'due', page, lane);
      if (attempts.length === 0) return;
      for (const key of attempts) {
        await giveUp(ledger, { onEvent: { ...onEvent, repairDropped } }, key, reason);
      }
    }
  }

  /** Shots that wait for the run's budget: others have moved on since. */
  #reconsider(): Promise<void> {
    if (this.#options.open.pipeline.retry.run_attempts === undefined) return Promise.resolve();
    this.#reconsidering ??= this.#reconsiderWaiting().finally(() => (this.#reconsidering = undefined));
    return this.#reconsidering;
  }

  async #reconsiderWaiting(): Promise<void> {
    const { open, ledger } = this.#options;
    // Answers change from the ends alone: what comes first is granted first, what comes last is refused first.
    for (const end of ['first', 'last'] as const) {
      for (;;) {
        const [key] = await ledger.waitingShots(open.id, end, 1);
        if (!key || !(await reconsider(this.#dependencies, key))) break;
      }
    }
  }

  async #checkEnd(): Promise<void> {
    const { open, ledger, onEnd } = this.#options;
    if ((await ledger.openShots(open.id)) === 0) onEnd();
  }

  /** Runs work that nobody waits for. */
  #watch(work: Promise<unknown>): void {
    void work.catch(this.#options.onError);
  }
}
