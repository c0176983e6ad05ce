import { once } from 'node:events';
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { Lease } from './types.js';

export interface Heartbeat {
  /** Of its own connection: where it is gone, so is this process. */
  readonly session: { pid: number; start: string };
  stop(): Promise<void>;
}

export interface HeartbeatOptions {
  databaseUrl: string;
  owner: string;
  leaseMs: number;
  /** The leases that the database has as the owner's, and when they were asked for (milliseconds since 1970). */
  onBeat: (found: Lease[], startedAt: number) => void;
}

interface Beat {
  session: { pid: number; start: string };
  found: Lease[];
  startedAt: number;
}

/**
 * Runs in a thread of its own, so that an inference, or anything else that keeps the event loop busy, cannot starve it;
 * what stops the process stops it too. As text, since a thread can be started neither from TypeScript nor from a file
 * whose place differs between sources and build. Renews also what has run out: as long as nobody has taken it, it is ours.
 */
const thread = `
const { parentPort, workerData } = require('node:worker_threads');
const pg = require(workerData.pg);
const { databaseUrl, owner, leaseMs } = workerData;
let client;
async function connect() {
  const fresh = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'reroll heartbeat',
    connectionTimeoutMillis: leaseMs,
    query_timeout: leaseMs,
    keepAlive: true,
  });
  fresh.on('error', () => { if (client === fresh) client = undefined; });
  await fresh.connect();
  const { rows } = await fresh.query(
    'select pid, backend_start::text as start from pg_stat_activity where pid = pg_backend_pid()');
  fresh.session = rows[0];
  client = fresh;
}
async function beat() {
  const startedAt = Date.now();
  try {
    if (!client) await connect();
    const { session } = client;
    const { rows } = await client.query(
      "update reroll.leases set expires_at = now() + $2 * interval '1 ms', session = $3, session_start = $4 " +
        'where owner = $1 returning name, number::float8 as number',
      [owner, leaseMs, session.pid, session.start]);
    parentPort.postMessage({ session, found: rows, startedAt });
  } catch {
    client?.end().catch(() => undefined);
    client = undefined;
  }
  setTimeout(beat, leaseMs / 3);
}
void beat();
`;

/** Resolves when its first beat is through. */
export async function startHeartbeat({ onBeat, ...options }: HeartbeatOptions): Promise<Heartbeat> {
  const pg = createRequire(import.meta.url).resolve('pg');
  const worker = new Worker(thread, { eval: true, workerData: { ...options, pg } });
  worker.unref();
  const [first] = (await once(worker, 'message')) as [Beat];
  let { session } = first;
  worker.on('message', (beat: Beat) => {
    ({ session } = beat);
    onBeat(beat.found, beat.startedAt);
  });
  return {
    get session() {
      return session;
    },
    async stop() {
      await worker.terminate();
    },
  };
}
