import { canRepair, stem, type Backend, type Lack, type ServerInfo } from '../backends/index.js';
import { BackendError } from '../errors.js';
import type { DueLane, Ledger } from '../ledger/index.js';
import type { Repair } from '../loop/index.js';
import type { BackendConfig } from '../pipeline/index.js';
import type { GuardedBackend } from '../../workers/generate.js';
import type { Agent } from './agent.js';

/** What every request of a lane needs; the rest is each request's own affair. */
const laneWide = new Set(['checkpoint', 'vae', 'node', 'extension']);

/** A backend of one run: how that run speaks to a server, whose agent has the slots and the breaker. */
export class Member implements GuardedBackend {
  /** Why this run cannot use the server, though others may: a wrong password, say. */
  problem: BackendError | undefined;
  /** By lane: what the server lacks for it, as far as it could be asked. */
  readonly #lacks = new Map<string, Lack[]>();

  constructor(
    readonly run: string,
    readonly backend: Backend,
    readonly config: Pick<BackendConfig, 'slots' | 'tags'>,
    /** Equal for entries, of any runs, that serve the same requests in the same way. */
    readonly identity: string,
    readonly agent: Agent,
  ) {}

  get name(): string {
    return this.backend.name;
  }

  get well(): boolean {
    return this.agent.well && this.problem === undefined;
  }

  get info(): ServerInfo | undefined {
    return this.agent.info;
  }

  set info(info: ServerInfo | undefined) {
    this.agent.info = info;
  }

  get ledger(): Ledger {
    return this.agent.ledger;
  }

  /** Whether it has the tags, and is of a kind that can repair so. */
  serves({ tags, repair }: { tags: readonly string[]; repair?: Repair }): boolean {
    return (
      tags.every((tag) => this.config.tags.includes(tag)) && (!repair || canRepair(this.backend.kind, repair))
    );
  }

  call<T>(attempt: string, work: (backend: Backend) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.agent.call(attempt, () => work(this.backend), signal);
  }

  forget(attempt: string): void {
    this.agent.health.forget(attempt);
  }

  /** What it lacks for a lane; undefined where it cannot be asked now. */
  async lacksFor(due: DueLane, signal: AbortSignal): Promise<Lack[] | undefined> {
    const known = this.#lacks.get(due.lane);
    // One that is down is asked when it is well again: a dark machine must not keep the others waiting.
    if (known || !this.well) return known;
    const all = await this.backend.missing(due.request, signal, due.repair).catch(lacksOfUnasked);
    const lacks = all?.filter(({ what }) => laneWide.has(what));
    if (lacks) this.#lacks.set(due.lane, lacks);
    return lacks;
  }

  /** It fell ill or became well again: it may have other checkpoints now. */
  forgetLacks(): void {
    for (const [lane, lacks] of this.#lacks) if (lacks.length > 0) this.#lacks.delete(lane);
  }

  /** Servers say a title with a hash, or a bare name; a pipeline may say either. */
  hasLoaded(checkpoint: string | undefined): boolean {
    const loaded = this.info?.checkpoint;
    return checkpoint !== undefined && loaded !== undefined && stem(checkpoint) === stem(loaded);
  }
}

/** A server that cannot be asked now may have everything: its lane waits for it. A request that it refuses fails there. */
function lacksOfUnasked(error: unknown): Lack[] | undefined {
  if (error instanceof BackendError) return error.fault === 'request' ? [] : undefined;
  throw error;
}
