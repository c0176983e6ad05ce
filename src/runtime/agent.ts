import pLimit from 'p-limit';
import { watchHealth, type BackendHealthState, type Health, type ServerInfo } from '../backends/index.js';
import type { DueLane, Lease, Ledger } from '../ledger/index.js';
import { laneOf } from '../loop/index.js';
import type { Job, Queues, Worker } from '../queue/index.js';
import type { Member } from './member.js';

/** A place at a queue that the agent can serve. */
interface Seat {
  lane: string;
  /** The lane of the same requests where they repair nothing: a server goes from one to the other at no cost. */
  track: string;
  priority: number;
  checkpoint: string | undefined;
  /** The runs that have work there. */
  runs: Set<string>;
  /** Only while the agent is on the seat's track: each worker holds a connection to the queue. */
  worker: Worker | undefined;
}

export interface AgentOptions {
  queues: Queues;
  ledger: Ledger;
  /** False where the run is paused, or left. */
  mayTake: (run: string) => boolean;
  handle: (agent: Agent, lane: string, job: Job, signal: AbortSignal) => Promise<void>;
  onHealth: (agent: Agent, state: BackendHealthState, reason?: string) => void;
  /** A queue has nothing for it just now. */
  onDrained: () => void;
  onError: (error: unknown) => void;
}

/**
 * The role that serves one server, for all runs that name its address: they share its slots, its breaker and what it
 * has loaded. It is on one track at a time, and takes from all queues of it that it can serve.
 */
export class Agent {
  /** What the server last said of itself. */
  info: ServerInfo | undefined;
  readonly health: Health;
  readonly #members = new Map<string, Member>();
  readonly #seats = new Map<string, Seat>();
  /** Workers of seats that it has left: what they had taken is still being worked on. */
  readonly #leaving = new Set<Worker>();
  /** A request waits here, not at the server: however many are due, the server never holds more than its slots. */
  readonly #slots = pLimit(1);
  #track: string | undefined;
  #lease: Lease | undefined;
  #ledger: Ledger;

  readonly #options: AgentOptions;

  constructor(
    readonly address: string,
    options: AgentOptions,
  ) {
    this.#options = options;
    this.#ledger = options.ledger;
    this.health = watchHealth(
      // Any run's way to it will do: they all ask the same server.
      { name: address, probe: (signal) => this.#any().backend.probe(signal) },
      { onChange: (state, reason) => options.onHealth(this, state, reason), onTaking: () => this.steer() },
    );
  }

  get members(): Iterable<Member> {
    return this.#members.values();
  }

  get isNamed(): boolean {
    return this.#members.size > 0;
  }

  get well(): boolean {
    return this.health.state === 'well' || this.health.state === 'ailing';
  }

  /** The ledger, its moves guarded by the agent's lease while it has one. */
  get ledger(): Ledger {
    return this.#ledger;
  }

  get lease(): Lease | undefined {
    return this.#lease;
  }

  /** With a lease the agent serves; without one another process does. */
  setLease(lease: Lease | undefined): void {
    this.#lease = lease;
    this.#ledger = lease ? this.#options.ledger.under(lease) : this.#options.ledger;
    this.steer();
  }

  memberOf(run: string): Member | undefined {
    return this.#members.get(run);
  }

  attach(member: Member): void {
    this.#members.set(member.run, member);
    this.#countSlots();
  }

  detach(run: string): void {
    this.#members.delete(run);
    if (this.#members.size > 0) this.#countSlots();
    for (const [queue, seat] of this.#seats) {
      seat.runs.delete(run);
      if (seat.runs.size > 0) continue;
      this.#leave(seat);
      this.#seats.delete(queue);
    }
  }

  /** Waits for a slot; failures count towards the breaker. */
  call<T>(attempt: string, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#slots(() => {
      signal.throwIfAborted();
      return this.health.run(attempt, work);
    });
  }

  /** Learns that a run has work in a queue that its server can do. */
  offer(queue: string, run: string, due: DueLane): void {
    const seat = this.#seats.get(queue) ?? {
      lane: due.lane,
      track: laneOf(due.request, due.tags),
      priority: due.priority,
      checkpoint: due.request.checkpoint,
      runs: new Set(),
      worker: undefined,
    };
    seat.priority = due.priority;
    seat.runs.add(run);
    this.#seats.set(queue, seat);
  }

  get seats(): ReadonlyMap<string, Readonly<Seat>> {
    return this.#seats;
  }

  /** The track that it is on. */
  get track(): string | undefined {
    return this.#track;
  }

  goTo(track: string): void {
    this.#track = track;
  }

  hasLoaded({ checkpoint }: Pick<Seat, 'checkpoint'>): boolean {
    return this.#any().hasLoaded(checkpoint);
  }

  /** Makes its workers match where it is: those on its track run, if the server is well; the others rest. */
  steer(): void {
    const { mayTake } = this.#options;
    for (const [queue, seat] of this.#seats) {
      if (!this.#lease || seat.track !== this.#track) this.#leave(seat);
      else {
        seat.worker ??= this.#work(queue, seat);
        if (this.health.isTaking && [...seat.runs].some(mayTake)) seat.worker.resume();
        else seat.worker.pause();
      }
    }
  }

  async close(force: boolean): Promise<void> {
    const workers = [...this.#leaving, ...[...this.#seats.values()].flatMap(({ worker }) => worker ?? [])];
    await Promise.all(workers.map((worker) => worker.close({ force })));
    if (!force || this.#members.size === 0) await this.health.close();
  }

  #any(): Member {
    const [first] = this.#members.values();
    if (!first) throw new Error(`no run names ${this.address} any more`);
    return first;
  }

  /** The smallest number that any run gives: a bound that is named is kept. */
  #countSlots(): void {
    this.#slots.concurrency = Math.min(...[...this.#members.values()].map(({ config }) => config.slots));
  }

  #work(queue: string, { lane }: Seat): Worker {
    const { queues, handle, onDrained, onError } = this.#options;
    return queues.work(queue, {
      concurrency: this.#slots.concurrency,
      paused: true,
      handler: (job, signal) => handle(this, lane, job, signal),
      onError,
      onDrained,
    });
  }

  /** Leaves a seat's queue; what was taken there is finished first. */
  #leave(seat: Seat): void {
    const { worker } = seat;
    if (!worker) return;
    seat.worker = undefined;
    this.#leaving.add(worker);
    worker
      .close()
      .then(() => this.#leaving.delete(worker))
      .catch(this.#options.onError);
  }
}
