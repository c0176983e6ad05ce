import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { hostname } from 'node:os';
import type pg from 'pg';
import { startHeartbeat, type Heartbeat } from './heartbeat.js';
import type { Lease, LeaseRecord } from './types.js';

/** How long a holder that gives no sign keeps a lease. */
export const leaseMs = 10_000;

/** A lease is free where its time is over, or the session of its holder's heartbeat is gone: a killed process has none. */
const isFree = `(leases.expires_at <= now() or leases.session is not null and not exists (
  select from pg_stat_activity a where a.pid = leases.session
    and (a.backend_start is null or a.backend_start = leases.session_start)))`;

export interface LeasesOptions {
  /** Connects the heartbeat; left out for the embedded database, where nobody else can be. */
  databaseUrl?: string;
  leaseMs?: number;
}

/** The leases that this opening of the ledger holds. */
export class Leases {
  readonly #pool: pg.Pool;
  readonly #options: LeasesOptions;
  readonly #owner = `${hostname()}, process ${process.pid} (${randomUUID().slice(0, 8)})`;
  readonly #held = new Map<string, { lease: Lease; since: number }>();
  readonly #lost = new EventEmitter().setMaxListeners(0);
  #heartbeat: Promise<Heartbeat> | undefined;

  constructor(pool: pg.Pool, options: LeasesOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  async take(name: string): Promise<Lease | undefined> {
    const session = await this.#session();
    const isShared = session !== undefined;
    const { rows } = await this.#pool.query<{ number: number }>(
      `insert into reroll.leases (name, owner, number, expires_at, session, session_start)
       values ($1, $2, 1, case when $3 then now() + $4 * interval '1 ms' else 'infinity' end, $5, $6)
       on conflict (name) do update set owner = excluded.owner, number = leases.number + 1,
         expires_at = excluded.expires_at, session = excluded.session, session_start = excluded.session_start
       where not $3 or leases.owner = excluded.owner or ${isFree}
       returning number::float8 as number`,
      [name, this.#owner, isShared, this.#ms, session?.pid ?? null, session?.start ?? null],
    );
    const number = rows[0]?.number;
    if (number === undefined) return undefined;
    const lease = { name, number };
    this.#held.set(name, { lease, since: Date.now() });
    return lease;
  }

  async release({ name, number }: Lease): Promise<void> {
    this.#held.delete(name);
    // The row stays: its number must go on growing.
    await this.#pool.query(
      "update reroll.leases set owner = '', expires_at = now() where name = $1 and number = $2 and owner = $3",
      [name, number, this.#owner],
    );
  }

  async list(prefix: string): Promise<LeaseRecord[]> {
    const isShared = this.#options.databaseUrl !== undefined;
    const { rows } = await this.#pool.query<LeaseRecord>(
      `select name, owner, number::float8 as number, expires_at > now() and case when $2 then not ${isFree} else owner = $3 end as held
       from reroll.leases where starts_with(name, $1) order by name`,
      [prefix, isShared, this.#owner],
    );
    return rows;
  }

  onLost(listener: (lease: Lease) => void): () => void {
    this.#lost.on('lost', listener);
    return () => this.#lost.off('lost', listener);
  }

  async close(): Promise<void> {
    await (await this.#heartbeat)?.stop();
  }

  get #ms(): number {
    return this.#options.leaseMs ?? leaseMs;
  }

  /** The heartbeat's session, started with the first lease. */
  async #session() {
    const { databaseUrl } = this.#options;
    if (databaseUrl === undefined) return undefined;
    this.#heartbeat ??= startHeartbeat({
      databaseUrl,
      owner: this.#owner,
      leaseMs: this.#ms,
      onBeat: (found, startedAt) => this.#compare(found, startedAt),
    });
    return (await this.#heartbeat).session;
  }

  /** What the heartbeat no longer found to be ours, another has taken. */
  #compare(found: Lease[], startedAt: number): void {
    const numbers = new Map(found.map(({ name, number }) => [name, number]));
    for (const { lease, since } of [...this.#held.values()]) {
      if (since >= startedAt || numbers.get(lease.name) === lease.number) continue;
      this.#held.delete(lease.name);
      this.#lost.emit('lost', lease);
    }
  }
}
