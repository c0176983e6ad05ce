import { describeLacks } from '../backends/index.js';
import type { AttemptKey } from '../ledger/index.js';
import type { Worker } from '../queue/index.js';
import { giveUp } from '../../workers/generate.js';
import { chooseLane } from './choose-lane.js';
import type { State } from './state.js';
import { hasLoaded, openLane, seatMembers, type Lane, type Seat } from './lane.js';
import type { Member } from './pool.js';
import { generateQueue } from './queue-names.js';

/** Jobs in a lane's queue beyond this are left in the ledger for now: memory stays flat. */
const window = 400;

export interface LanesOptions {
  state: State;
  run: string;
  members: readonly Member[];
  signal: AbortSignal;
  handle: (key: AttemptKey, member: Member, signal: AbortSignal) => Promise<void>;
  onBug: (error: unknown) => void;
  onFailed: (key: AttemptKey, reason: string) => void;
}

/**
 * The generate queues of a run, one for each lane, and which backend is on which. The ledger says what is due;
 * the queues hold a window of it. Lanes that differ by what they repair alone are one track: a backend is on one
 * track at a time, and takes from all lanes of it that it can serve.
 */
export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  readonly #place = new Map<Member, string>();
  /** Workers of lanes that their backend has left: what they had taken is still being worked on. */
  readonly #leaving = new Set<Worker>();
  /** The warnings that were given. */
  readonly #told = new Set<string>();
  #paused = false;
  #closed = false;
  #refreshing: Promise<void> | undefined;
  #again = false;

  constructor(private readonly options: LanesOptions) {}

  /** Puts due attempts into the queues, opens new lanes, and sends idle backends where there is work. */
  refresh(): Promise<void> {
    this.#again = this.#refreshing !== undefined;
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
      if (this.#again && !this.options.signal.aborted) void this.refresh().catch(this.options.onBug);
    });
    return this.#refreshing;
  }

  async add(key: AttemptKey, lane: string, priority: number): Promise<void> {
    const { queues } = this.options.state;
    await queues.add(generateQueue(this.options.run, lane), [jobOf(key, priority)]);
    const known = this.#lanes.get(lane);
    if (!known) await this.refresh();
    else if (this.#placed(known).length === 0) await this.#settle();
  }

  /** False where the run is paused, or this process leaves: what waits for a server's slot then waits no longer. */
  get isTaking(): boolean {
    return !this.#paused && !this.#closed;
  }

  setPaused(paused: boolean): void {
    this.#paused = paused;
    for (const member of this.#place.keys()) this.#steer(member);
  }

  /** A backend fell ill or became well again: it may have other checkpoints now. */
  async onHealth(): Promise<void> {
    for (const { lacks } of this.#lanes.values()) {
      for (const [member, lack] of lacks) if (lack.length > 0) lacks.delete(member);
    }
    this.steer();
    await this.refresh();
  }

  /** A backend begins to take requests, or takes no more. */
  steer(): void {
    for (const member of this.options.members) this.#steer(member);
  }

  async close(force: boolean): Promise<void> {
    this.#closed = true;
    const seats = [...this.#lanes.values()].flatMap((lane) => lane.seats);
    const workers = [...this.#leaving, ...seats.flatMap(({ worker }) => worker ?? [])];
    await Promise.all(workers.map((worker) => worker.close({ force })));
  }

  async #refresh(): Promise<void> {
    const { state, run, signal } = this.options;
    for (const due of await state.ledger.dueLanes(run)) {
      if (signal.aborted || this.#closed) return;
      const lane = this.#lanes.get(due.lane) ?? openLane(run, due);
      this.#lanes.set(due.lane, lane);
      const hopeless = await seatMembers(lane, due, this.options);
      if (hopeless === undefined) this.#tellWhoIsLeftOut(lane);
      else await this.#giveUp(due.lane, hopeless);
      lane.priority = due.priority;
      const { ready, delayed } = await state.queues.waiting(lane.queue);
      if (ready + delayed < window / 4) {
        const attempts = await state.ledger.dueAttempts(run, 'due', window, due.lane);
        await state.queues.add(
          lane.queue,
          attempts.map((attempt) => jobOf(attempt, attempt.priority)),
        );
      }
    }
    await this.#settle();
  }

  /** Says once of a backend what it lacks: it would stand idle all night, and nobody would know why. */
  #tellWhoIsLeftOut({ lacks: all }: Lane): void {
    for (const [{ name }, lacks] of all) {
      if (lacks.length > 0) this.#warn(`${name} is left out of some prompts: ${describeLacks(lacks)}`);
    }
  }

  /** Says each thing once. */
  #warn(message: string): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.options.state.events.emit({ type: 'warning', message });
  }

  #work(lane: Lane, member: Member): Worker {
    const { state, run, handle, onBug } = this.options;
    return state.queues.work(lane.queue, {
      concurrency: member.slots,
      paused: true,
      handler: ({ data }, signal) => handle({ run, shot: data.shot, number: data.number }, member, signal),
      onError: onBug,
      onDrained: () => void this.refresh().catch(onBug),
    });
  }

  /** Nobody will ever do what is due in a lane. */
  async #giveUp(lane: string, reason: string): Promise<void> {
    const { state, run, onFailed: failed } = this.options;
    const unrepaired = () => {
      this.#warn(`Images are made anew instead of repaired: ${reason}`);
      // They are due in another lane now.
      this.#again = true;
    };
    const dependencies = { ledger: state.ledger, onEvent: { unrepaired, failed } };
    for (;;) {
      const attempts = await state.ledger.dueAttempts(run, 'due', window, lane);
      if (attempts.length === 0) break;
      for (const key of attempts) await giveUp(dependencies, key, reason);
    }
    // A server that can, after all, must not find there what another makes anew.
    await state.queues.clear(generateQueue(run, lane));
  }

  /** Who takes the lane's jobs: others on its track may not be able to. */
  #placed(lane: Lane): Member[] {
    const members = lane.seats.map(({ member }) => member);
    return members.filter((member) => this.#place.get(member) === lane.track);
  }

  /** Sends every backend whose track is dry to the one that needs it most. */
  async #settle(): Promise<void> {
    const waiting = new Map<Lane, { ready: number; delayed: number }>();
    for (const lane of this.#lanes.values()) {
      waiting.set(lane, await this.options.state.queues.waiting(lane.queue));
    }
    for (const member of this.options.members) {
      const here = this.#place.get(member);
      const able = [...waiting].filter(([lane]) => lane.seats.some((seat) => seat.member === member));
      if (!able.some(([lane, { ready }]) => lane.track === here && ready > 0)) {
        // Where nothing is ready, somebody must look at the lanes whose jobs come back later.
        const anyReady = able.some(([, { ready }]) => ready > 0);
        const next = chooseLane(
          able.map(([lane, { ready, delayed }]) => ({
            lane: lane.track,
            waiting: anyReady ? ready : delayed,
            priority: lane.priority,
            members: this.#placed(lane).filter((other) => other !== member).length,
            loaded: hasLoaded(member, lane),
          })),
        );
        if (next !== undefined) this.#place.set(member, next);
      }
      this.#steer(member);
    }
  }

  /** Makes the member's workers match its place: those on its track run, if they may; the others rest. */
  #steer(member: Member): void {
    const place = this.#place.get(member);
    for (const lane of this.#lanes.values()) {
      const seat = lane.seats.find((seat) => seat.member === member);
      if (!seat) continue;
      if (lane.track !== place) this.#leave(seat);
      else {
        seat.worker ??= this.#work(lane, member);
        if (member.isTaking && this.isTaking) seat.worker.resume();
        else seat.worker.pause();
      }
    }
  }

  /** Takes the member off a lane; what it has taken there is finished first. */
  #leave(seat: Seat): void {
    const { worker } = seat;
    if (!worker) return;
    seat.worker = undefined;
    this.#leaving.add(worker);
    worker
      .close()
      .then(() => this.#leaving.delete(worker))
      .catch(this.options.onBug);
  }
}

/** A job's id is its attempt's: adding one that is there changes nothing. */
export function jobOf({ run, shot, number }: AttemptKey, priority: number) {
  return { id: `${run}.${shot}.${number}`, data: { shot, number }, priority };
}
