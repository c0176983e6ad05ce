import type { Lease, Ledger } from '../ledger/index.js';
import type { Agent } from './agent.js';
import type { Agents } from './agents.js';
import type { Coordinator } from './coordinator.js';
import type { Held } from './held.js';
import { Leases } from './leases.js';
import type { OpenRun } from './open-run.js';
import type { State } from './state.js';

export interface RolesOptions {
  state: State;
  agents: Agents;
  /** The runs that are worked on here. */
  runs: () => Iterable<Held>;
  find: (run: string) => Held | undefined;
  /** The coordinator of a run, whose moves go through a ledger that names its lease. */
  coordinate: (open: OpenRun, ledger: Ledger) => Coordinator;
  onLost: () => void;
  /** A run that cannot be coordinated here. */
  onError: (run: string, error: unknown) => void;
}

/** Which roles this process has: to coordinate a run, to serve a server. Each is a lease in the ledger (leases.ts). */
export class Roles {
  readonly #options: RolesOptions;
  readonly #leases: Leases;

  constructor(options: RolesOptions) {
    this.#options = options;
    this.#leases = new Leases(options.state.ledger, (name) => this.#onLost(name));
  }

  /** The lease to coordinate a run; undefined while another process has it. */
  coordination(run: string): Promise<Lease | undefined> {
    return this.#leases.take(runLease(run));
  }

  /** Whether this process has a run's lease: before the run is held, too. */
  isCoordinating(run: string): boolean {
    return this.#leases.has(runLease(run));
  }

  /** Takes those that are free: of a process that died, too. */
  async takeFree(): Promise<void> {
    const { state, agents, runs, find, coordinate, onError } = this.#options;
    for (const held of runs()) {
      if (!held.roles.includes('coordinate') || held.coordinator || held.closing) continue;
      try {
        const lease = await this.coordination(held.open.id);
        if (lease) held.coordinator = coordinate(held.open, state.ledger.under(lease));
      } catch (error) {
        onError(held.open.id, error);
      }
    }
    for (const agent of agents) {
      const isWanted = [...agent.members].some(({ run }) => find(run)?.roles.includes('generate'));
      if (agent.lease || !isWanted) continue;
      agent.setLease(await this.#leases.take(this.#agentLease(agent)));
    }
  }

  async giveUpRun({ open, roles }: Held): Promise<void> {
    if (roles.includes('coordinate')) await this.#leases.release(runLease(open.id));
  }

  async giveUpServer(agent: Agent): Promise<void> {
    await this.#leases.release(this.#agentLease(agent));
  }

  async close(): Promise<void> {
    await this.#leases.close();
  }

  /** This process slept too long, and another may have its role by now: what it still does counts no more. */
  #onLost(name: string): void {
    const { state, agents, runs, onLost } = this.#options;
    for (const held of runs()) {
      if (name !== runLease(held.open.id)) continue;
      void held.coordinator?.stop();
      delete held.coordinator;
    }
    for (const agent of agents) if (name === this.#agentLease(agent)) agent.setLease(undefined);
    const message = `This process gave no sign of life for too long and lost a role (${name}); it takes it again if it is free.`;
    state.events.emit({ type: 'warning', code: 'role-lost', message });
    onLost();
  }

  #agentLease({ address }: Agent): string {
    return `agent/${address} at ${this.#options.state.store}`;
  }
}

/** The name of the lease that a run's coordinator has. */
export const runLease = (run: string): string => `run/${run}`;
