import { readFile } from 'node:fs/promises';
import { bulkhead } from 'cockatiel';
import {
  canRepair,
  checkRepair,
  createBackend,
  watchHealth,
  type Backend,
  type BackendHealthState,
  type Health,
  type ServerInfo,
} from '../backends/index.js';
import { BackendError, ConfigError, toError } from '../errors.js';
import type { Repair } from '../loop/index.js';
import type { BackendConfig, Pipeline } from '../pipeline/index.js';
import { startSketchServer } from '../../sketch/index.js';
import type { GuardedBackend } from '../../workers/generate.js';
import type { EmitRunEvent } from './events.js';
import { opening, type Releasers } from './releasers.js';

/** A backend of a run, with its slots and its breaker. */
export class Member implements GuardedBackend {
  readonly #slots;
  /** What the server said of itself when it was last asked. */
  info: ServerInfo | undefined;

  constructor(
    readonly backend: Backend,
    readonly health: Health,
    readonly slots: number,
    readonly tags: readonly string[],
  ) {
    // A request waits here, not at the server: however many are due, the server never holds more than its slots.
    this.#slots = bulkhead(slots, Infinity);
  }

  get name(): string {
    return this.backend.name;
  }

  get well(): boolean {
    return this.health.state === 'well' || this.health.state === 'ailing';
  }

  /** False while nothing may be sent. */
  get isTaking(): boolean {
    return this.health.isTaking;
  }

  /** Whether it has the tags, and is of a kind that can repair so. */
  serves({ tags, repair }: { tags: readonly string[]; repair?: Repair }): boolean {
    return tags.every((tag) => this.tags.includes(tag)) && (!repair || canRepair(this.backend.kind, repair));
  }

  call<T>(attempt: string, work: (backend: Backend) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#slots.execute(() => this.health.run(attempt, () => work(this.backend)), signal);
  }

  forget(attempt: string): void {
    this.health.forget(attempt);
  }
}

export interface Pool {
  members: Member[];
  /** Called when a backend fell ill or became well again. Set by whoever works with the pool. */
  onHealth: () => void;
  /** Called when a backend begins to take requests, or takes no more. */
  onTaking: () => void;
  close(): Promise<void>;
}

/**
 * Connects to every backend. One that is down is probed until it is well; ConfigError if none can be used now, or
 * a workflow is unusable.
 */
export function openPool(
  { backends: configs, retry }: Pick<Pipeline, 'backends' | 'retry'>,
  emit: EmitRunEvent,
  signal: AbortSignal,
): Promise<Pool> {
  return opening(async (releasers) => {
    const pool: Pool = {
      members: [],
      onHealth: () => undefined,
      onTaking: () => undefined,
      close: () => releasers.close(),
    };
    const onChange = (backend: string, state: BackendHealthState, reason?: string) => {
      emit({ type: 'backend', backend, state, ...(reason !== undefined && { reason }) });
      pool.onHealth();
    };
    for (const rung of retry.ladder) if ('repair' in rung) await checkRepair(rung.repair);
    const open = (config: BackendConfig) => openMember(config, onChange, () => pool.onTaking(), releasers);
    const members = await Promise.all(configs.map(open));
    const problems = await Promise.all(members.map((member) => firstProbe(member, signal)));
    signal.throwIfAborted();
    if (members.every((_, place) => problems[place])) {
      const list = problems.map((problem) => `  ${problem?.message ?? ''}`).join('\n');
      throw new ConfigError(
        `no backend can be used:\n${list}\nStart a server or correct its entry under backends; \`reroll doctor\` checks them.`,
      );
    }
    pool.members = members;
    return pool;
  });
}

async function openMember(
  config: BackendConfig,
  onChange: (backend: string, state: BackendHealthState, reason?: string) => void,
  onTaking: () => void,
  releasers: Releasers,
): Promise<Member> {
  const backend = await connect(config, releasers);
  const health = watchHealth(backend, {
    onChange: (state, reason) => onChange(backend.name, state, reason),
    onTaking,
  });
  releasers.add(() => health.close());
  return new Member(backend, health, config.slots, config.tags);
}

/** The backend of a pipeline's entry, until it is released; `kind: sketch` starts its server in this process. */
export async function connect(config: BackendConfig, releasers: Releasers): Promise<Backend> {
  const backend = await create(config, releasers);
  releasers.add(() => backend.close());
  return backend;
}

async function create(config: BackendConfig, releasers: Releasers): Promise<Backend> {
  if (config.kind === 'sketch') {
    const server = await startSketchServer({
      protocol: config.protocol,
      latencyMs: config.latency,
      badRate: config.bad_rate,
      failRate: config.fail,
      ...(config.checkpoints && { checkpoints: config.checkpoints }),
      reloadMs: config.reload,
    });
    releasers.add(() => server.close());
    return createBackend({ kind: config.protocol, name: config.name, url: server.url });
  }
  if (config.kind === 'comfyui') {
    const workflow = { path: config.workflow, text: await readFile(config.workflow, 'utf8') };
    return createBackend({ ...config, stallMs: config.stall, workflow });
  }
  return createBackend({ ...config, stallMs: config.stall });
}

async function firstProbe(member: Member, signal: AbortSignal): Promise<Error | undefined> {
  try {
    member.info = await member.health.probe(signal);
    return undefined;
  } catch (error) {
    if (!(error instanceof BackendError)) throw toError(error);
    return error;
  }
}
