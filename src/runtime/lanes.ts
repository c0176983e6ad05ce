import { stem, type Lack } from '../backends/index.js';
import { BackendError } from '../errors.js';
import { laneOf } from '../loop/index.js';
import type { AttemptKey, DueLane } from '../ledger/index.js';
import type { Worker } from '../queue/index.js';
import { describeLacks } from '../../workers/generate.js';
import { chooseLane } from './choose-lane.js';
import type { House } from './house.js';
import type { Member } from './pool.js';
import { generateQueue } from './queue-names.js';

/** Jobs in a lane's queue beyond this are left in the ledger for now: memory stays flat. */
const window = 400;

/** What every request of a lane needs; the rest is each request's own affair. */
const laneWide = new Set(['checkpoint', 'vae', 'node', 'extension']);

interface Seat {
  member: Member;
  /** Only while the member is on the lane's track: each worker holds a connection to the queue. */
  worker: Worker | undefined;
}

interface Lane {
  queue: string;
  /** The lane of the same requests where they mend nothing: a server goes from one to the other at no cost. */
  track: string;
  priority: number;
  checkpoint: string | undefined;
  /** One for each backend that can serve the lane; only backends that are on its track take its jobs. */
  seats: Seat[];
  /** What each backend lacks for it, as far as it could be asked. */
  lacks: Map<Member, Lack[]>;
}

export interface LanesOptions {
  house: House;
  run: string;
  members: readonly Member[];
  signal: AbortSignal;
  handle: (key: AttemptKey, member: Member, signal: AbortSignal) => Promise<void>;
  onBug: (error: unknown) => void;
  onFailed: (key: AttemptKey, reason: string) => void;
}

/**
 * The generate queues of a run, one for each lane, and which backend is on which. The ledger says what is due;
 * the queues hold a window of it. Lanes that differ by what they mend alone are one track: a backend is on one
 * track at a time, and takes from all lanes of it that it can serve.
 */
export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  readonly #place = new Map<Member, string>();
  /** Workers of lanes that their backend has left: what they had taken is still being worked on. */
  readonly #leaving = new Set<Worker>();
  /** What was said of backends that are left out. */
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
    const { queues } = this.options.house;
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
    for (const member of this.options.members) this.#steer(member);
    await this.refresh();
  }

  async close(force: boolean): Promise<void> {
    this.#closed = true;
    const seats = [...this.#lanes.values()].flatMap((lane) => lane.seats);
    const workers = [...this.#leaving, ...seats.flatMap(({ worker }) => worker ?? [])];
    await Promise.all(workers.map((worker) => worker.close({ force })));
  }

  async #refresh(): Promise<void> {
    const { house, run, signal } = this.options;
    for (const due of await house.ledger.dueLanes(run)) {
      if (signal.aborted || this.#closed) return;
      const lane = this.#lanes.get(due.lane) ?? this.#open(due);
      await this.#seat(lane, due);
      lane.priority = due.priority;
      const { ready, delayed } = await house.queues.waiting(lane.queue);
      if (ready + delayed < window / 4) {
        const attempts = await house.ledger.dueAttempts(run, 'due', window, due.lane);
        await house.queues.add(
          lane.queue,
          attempts.map((attempt) => jobOf(attempt, attempt.priority)),
        );
      }
    }
    await this.#settle();
  }

  #open(due: DueLane): Lane {
    const lane: Lane = {
      queue: generateQueue(this.options.run, due.lane),
      track: laneOf(due.request, due.tags),
      priority: due.priority,
      checkpoint: due.request.checkpoint,
      seats: [],
      lacks: new Map(),
    };
    this.#lanes.set(due.lane, lane);
    return lane;
  }

  /** Seats every backend that has what the lane needs. Where none has, and all could be asked, its shots fail. */
  async #seat(lane: Lane, due: DueLane): Promise<void> {
    const able = this.options.members.filter((member) => member.serves(due));
    await Promise.all(
      able.map(async (member) => {
        // One that is down is asked when it is well again: a dark machine must not keep the others waiting.
        if (lane.lacks.has(member) || !member.well) return;
        const { request, repair } = due;
        const all = await member.backend.missing(request, this.options.signal, repair).catch(lacksOfUnasked);
        const lacks = all?.filter(({ what }) => laneWide.has(what));
        if (!lacks || lane.lacks.has(member)) return;
        lane.lacks.set(member, lacks);
        if (lacks.length === 0) lane.seats.push({ member, worker: undefined });
      }),
    );
    if (lane.seats.length === 0 && able.every((member) => lane.lacks.has(member))) {
      const reason =
        able.length === 0
          ? describeUnserved(due)
          : [...lane.lacks].map(([member, lacks]) => `${member.name}: ${describeLacks(lacks)}`).join('; ');
      await this.#failLane(due.lane, reason);
    } else this.#tellWhoIsLeftOut(lane);
  }

  /** Says once of a backend what it lacks: it would stand idle all night, and nobody would know why. */
  #tellWhoIsLeftOut({ lacks: all }: Lane): void {
    for (const [{ name }, lacks] of all) {
      const message = `${name} is left out of some prompts: ${describeLacks(lacks)}`;
      if (lacks.length === 0 || this.#told.has(message)) continue;
      this.#told.add(message);
      this.options.house.events.emit({ type: 'warning', message });
    }
  }

  #work(lane: Lane, member: Member): Worker {
    const { house, run, handle, onBug } = this.options;
    return house.queues.work(lane.queue, {
      concurrency: member.slots,
      paused: true,
      handler: ({ data }, signal) => handle({ run, shot: data.shot, number: data.number }, member, signal),
      onError: onBug,
      onDrained: () => void this.refresh().catch(onBug),
    });
  }

  async #failLane(lane: string, reason: string): Promise<void> {
    const { house, run, onFailed } = this.options;
    for (;;) {
      const attempts = await house.ledger.dueAttempts(run, 'due', window, lane);
      if (attempts.length === 0) return;
      for (const key of attempts) {
        if (await house.ledger.failShot(run, key.shot, reason)) onFailed(key, reason);
      }
    }
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
      waiting.set(lane, await this.options.house.queues.waiting(lane.queue));
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
        if (member.well && this.isTaking) seat.worker.resume();
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

/** Servers say a title with a hash, or a bare name; a pipeline may say either. */
function hasLoaded({ info }: Member, { checkpoint }: Lane): boolean {
  const loaded = info?.checkpoint;
  return checkpoint !== undefined && loaded !== undefined && stem(checkpoint) === stem(loaded);
}

/** A job's id is its attempt's: adding one that is there changes nothing. */
export function jobOf({ run, shot, number }: AttemptKey, priority: number) {
  return { id: `${run}.${shot}.${number}`, data: { shot, number }, priority };
}

/** A server that cannot be asked now may have everything: its lane waits for it. A request that it refuses fails there. */
function lacksOfUnasked(error: unknown): Lack[] | undefined {
  if (error instanceof BackendError) return error.fault === 'request' ? [] : undefined;
  throw error;
}

function describeUnserved({ tags, repair }: DueLane): string {
  const who = tags.length === 0 ? 'no backend' : `no backend with the tags ${tags.join(', ')}`;
  return repair ? `${who} can mend an image with ${repair.with}` : `${who} is in the pipeline`;
}
