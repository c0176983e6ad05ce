import { createPostgresBackend, type PostgresConnectionOptions, runMigrations, withBackend } from 'bullmq';
import pg from 'pg';
import { refusalOfPostgres } from '../base/refusals.js';
import type { Trouble } from '../base/trouble.js';
import { ConfigError, passwordOf, toError } from '../errors.js';
import { embeddedLocks, ownClose, type Server, sharedLocks, unhurried } from './server.js';

const schema = 'bullmq';
const connectMs = 5000;

/**
 * Queues in the embedded database. Its one session is shared with the ledger, whose tables go by
 * unqualified names too, so `public` comes first.
 */
export async function embeddedServer(pool: pg.Pool): Promise<Server> {
  await migrate(pool);
  await pool.query(`SET search_path TO public, ${schema}`);
  // Every move of a job writes events that nobody here reads: a fifth of the time that a job costs.
  await pool.query(
    `CREATE OR REPLACE FUNCTION ${schema}.publish_event(p_queue text, p_event text, p_data jsonb)
       RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint'`,
  );
  // The queue need not outlast a kill or a power cut: it comes up empty then, and is filled from the ledger.
  for (const table of ['job_log', 'job_dependency', 'job']) {
    await pool.query(`ALTER TABLE ${schema}.${table} SET UNLOGGED`);
  }
  // Nobody else can be at work here: what is active was being worked on by a process that died.
  await pool.query(
    `UPDATE ${schema}.job SET state = 'waiting', lock_token = NULL, locked_until_ms = NULL, stalled_marked = false
      WHERE state = 'active'`,
  );
  return {
    name: 'the embedded database',
    bull: bullOver(pool),
    locks: embeddedLocks,
    // For a bulk PostgreSQL makes tables: 20 ms.
    few: 16,
    queues: () => queuesIn(pool),
    refuses: () => false,
    takes: () => undefined,
    close: async () => undefined,
  };
}

/** Queues in a PostgreSQL server, the ledger's, in a schema of their own. `trouble` is the ledger's too: it is told of once. */
export async function postgresServer(databaseUrl: string, trouble: Trouble): Promise<Server> {
  const host = hostOf(databaseUrl);
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    // Every worker keeps one connection to be woken by. With the ledger's it stays below the 100 of a server's default.
    max: 70,
    keepAlive: true,
    connectionTimeoutMillis: connectMs,
    options: `-c search_path=${schema},public`,
  });
  // One that breaks while idle is replaced by another when one is needed.
  pool.on('error', () => undefined);
  try {
    await migrate(pool);
  } catch (error) {
    await pool.end();
    throw new ConfigError(
      `PostgreSQL at ${host} cannot hold the queue: ${toError(error).message}. ` +
        'Start it, or correct the database URL; leave both URLs out to use the embedded database.',
      { cause: error },
    );
  }
  return {
    name: `PostgreSQL at ${host}`,
    bull: bullOver(pool),
    locks: sharedLocks,
    few: 1,
    queues: () => queuesIn(pool),
    refuses(error) {
      const why = refusalOfPostgres(error);
      if (why !== undefined) trouble.begin(why);
      return why !== undefined;
    },
    takes: () => trouble.end(),
    close: () => pool.end(),
  };
}

async function queuesIn(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ queue: string }>(`select distinct queue from ${schema}.job`);
  return rows.map(({ queue }) => queue);
}

/** The host and port of a database URL; its password is a secret from now on. */
function hostOf(databaseUrl: string): string {
  if (!URL.canParse(databaseUrl)) {
    throw new ConfigError('The database URL is none: write postgres://user:password@host:5432/database.');
  }
  const url = new URL(databaseUrl);
  passwordOf(url);
  return url.host;
}

async function migrate(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await runMigrations(client, schema);
  } finally {
    client.release();
  }
}

function bullOver(pool: pg.Pool): Server['bull'] {
  return withBackend((name, options, role) => {
    const shared = {
      options: pool.options,
      // One that a backend asks for after it was closed (it was still opening then) nobody would ever give back.
      connect: () => (backend.closing ? Promise.reject(new Error(ownClose)) : pool.connect()),
      query: (text: string, values: unknown[]) => pool.query(text, values),
      end: () => pool.end(),
      // Every queue and worker would listen for the pool's errors, and go on when it is closed: a run opens thousands.
      // Whoever made the pool listens already.
      on: () => undefined,
    };
    // BullMQ's own description of a pool is narrower than what it documents and does.
    const connection = shared as unknown as PostgresConnectionOptions;
    const backend = createPostgresBackend(name, { ...options, connection }, role);
    return unhurried(backend);
  });
}
