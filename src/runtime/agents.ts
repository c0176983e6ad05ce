import type { Queues } from '../queue/index.js';
import { Agent, type AgentOptions } from './agent.js';
import { chooseTrack } from './choose-track.js';

/** The agents of this process, one for each server that its runs name, and who goes where. */
export class Agents {
  readonly #agents = new Map<string, Agent>();
  #settling: Promise<void> | undefined;
  #again = false;

  readonly #queues: Queues;
  readonly #options: Omit<AgentOptions, 'queues' | 'onDrained'>;

  constructor(queues: Queues, options: Omit<AgentOptions, 'queues' | 'onDrained'>) {
    this.#queues = queues;
    this.#options = options;
  }

  [Symbol.iterator](): IterableIterator<Agent> {
    return this.#agents.values();
  }

  /** The agent of an address, made where there is none yet. */
  at(address: string): Agent {
    let agent = this.#agents.get(address);
    if (!agent) {
      const onDrained = () => void this.settle().catch(this.#options.onError);
      agent = new Agent(address, { ...this.#options, queues: this.#queues, onDrained });
      this.#agents.set(address, agent);
    }
    return agent;
  }

  drop(agent: Agent): void {
    this.#agents.delete(agent.address);
  }

  /** Whether somebody here takes from the queue. */
  isServed(queue: string): boolean {
    return [...this].some((agent) => isOn(agent, queue));
  }

  /** Sends every agent whose track is dry to the one that needs it most. */
  settle(): Promise<void> {
    this.#again = this.#settling !== undefined;
    this.#settling ??= this.#settle().finally(() => {
      this.#settling = undefined;
      if (this.#again) void this.settle().catch(this.#options.onError);
    });
    return this.#settling;
  }

  async #settle(): Promise<void> {
    const serving = [...this].filter(({ lease }) => lease);
    const queues = new Set(serving.flatMap(({ seats }) => [...seats.keys()]));
    const waiting = new Map<string, { ready: number; delayed: number }>();
    for (const queue of queues) waiting.set(queue, await this.#queues.waiting(queue));
    for (const agent of serving) {
      const seats = [...agent.seats].map(([queue, seat]) => {
        const { ready = 0, delayed = 0 } = waiting.get(queue) ?? {};
        return { queue, seat, ready, delayed };
      });
      if (!seats.some(({ seat, ready }) => seat.track === agent.track && ready > 0)) {
        // Where nothing is ready, somebody must look at the queues whose jobs come back later.
        const anyReady = seats.some(({ ready }) => ready > 0);
        const next = chooseTrack(
          seats.map(({ queue, seat, ready, delayed }) => ({
            track: seat.track,
            waiting: anyReady ? ready : delayed,
            priority: seat.priority,
            members: serving.filter((other) => other !== agent && isOn(other, queue)).length,
            loaded: agent.hasLoaded(seat),
          })),
        );
        if (next !== undefined) agent.goTo(next);
      }
      agent.steer();
    }
  }
}

function isOn(agent: Agent, queue: string): boolean {
  const seat = agent.seats.get(queue);
  return agent.lease !== undefined && seat !== undefined && seat.track === agent.track;
}
