import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { plural } from '../base/plural.js';
import { ConfigError, DamagedError, passwordOf, registerSecret, toError } from '../errors.js';
import { makeFolder, moveDurably } from '../base/atomic.js';
import { storageError, storing } from '../base/storage.js';
import { Trouble } from '../base/trouble.js';
import { databaseError } from './failure.js';
import { closeToOthers } from './folders.js';
import { Leases } from './leases.js';
import { takeLock } from './lock.js';
import type { Lock } from './lock.js';
import { migrate } from './migrate.js';
import { Patience } from './patience.js';
import { openPGlitePool } from './pglite-pool.js';
import { ledgerId } from './reads.js';
import { SqlLedger } from './sql-ledger.js';
import type { Ledger } from './types.js';

export interface OpenLedger {
  ledger: Ledger;
  /** The database connections, for a queue that lives beside the ledger. */
  pool: pg.Pool;
  /** Tells of the database's server; absent where the database is embedded, and so is this process's own. */
  trouble?: Trouble;
  /** The state folder's lock; a database's server locks no folder. */
  lock: Lock | undefined;
  /** Closes the pool and gives the folder back. */
  close: () => Promise<void>;
}

/** They are opened as needed. The queue has its own, and so has the heartbeat. */
const maxConnections = 20;

/**
 * Opens the ledger of the state folder `home`: the embedded database in it, which is this process's alone until
 * `close`, or the PostgreSQL server at `databaseUrl`, which many processes may have open. Throws LockedError, StorageError,
 * ConfigError (a server that does not answer or refuses).
 */
export async function openLedger({
  home,
  databaseUrl,
  leaseMs,
  warn = () => undefined,
}: {
  home: string;
  databaseUrl?: string;
  /** How long a role stays its holder's without a sign. Default 10,000 ms. */
  leaseMs?: number;
  /** Hears what a user should know. */
  warn?: (message: string) => void;
}): Promise<OpenLedger> {
  const lock = databaseUrl === undefined ? await takeLock(home) : undefined;
  try {
    if (!lock) await storing('use the state folder (REROLL_HOME)', home, () => makeFolder(home, true));
    await keepPrivate(home, warn);
    const pool = databaseUrl === undefined ? await openEmbedded(home) : await openServer(databaseUrl);
    const leases = new Leases(pool, { ...(databaseUrl && { databaseUrl }), ...(leaseMs && { leaseMs }) });
    const release = async () => {
      await leases.close();
      await pool.end().finally(() => lock?.release());
    };
    let id: string;
    try {
      await migrate(pool);
      const { rows } = await pool.query<{ id: string }>(ledgerId);
      id = rows[0]?.id ?? '';
    } catch (error) {
      // It may not even end any more. What broke first is what to tell.
      await pool.end().catch(() => undefined);
      throw databaseError(error);
    }
    const trouble =
      databaseUrl === undefined ? undefined : new Trouble(`PostgreSQL at ${new URL(databaseUrl).host}`, warn);
    const patience = trouble && new Patience(trouble);
    const ledger = new SqlLedger({ id, pool, leases, patience, release });
    return { ledger, pool, ...(trouble && { trouble }), lock, close: () => ledger.close() };
  } catch (error) {
    await lock?.release().catch(() => undefined);
    throw error;
  }
}

/**
 * Moves a database out of the way that cannot be opened any more, and answers where to; undefined where there is none, or it
 * can be opened. Throws as `openLedger` does.
 */
export async function setAsideDamaged(home: string): Promise<string | undefined> {
  try {
    await (await openLedger({ home })).close();
    return undefined;
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error;
    const lock = await takeLock(home);
    try {
      const aside = `${error.folder}.damaged-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`;
      await moveDurably(error.folder, aside);
      return aside;
    } finally {
      await lock.release();
    }
  }
}

async function openEmbedded(home: string): Promise<pg.Pool> {
  const folder = join(home, 'db');
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return await openPGlitePool(folder);
  } catch (error) {
    throw storageError('use the state folder (REROLL_HOME)', folder, error);
  }
}

/** Prompts, images and passwords that stand in a pipeline are their owner's alone. */
async function keepPrivate(home: string, warn: (message: string) => void): Promise<void> {
  try {
    const closed = await closeToOthers(home);
    if (closed > 0)
      warn(`Other users could read or change ${plural(closed, 'file')} in ${home}. Now only you can.`);
  } catch (error) {
    warn(
      `Other users may read or change files in ${home}: ${toError(storageError('close', home, error)).message}`,
    );
  }
}

async function openServer(databaseUrl: string): Promise<pg.Pool> {
  registerPassword(databaseUrl);
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: maxConnections,
    connectionTimeoutMillis: 15_000,
    application_name: 'reroll',
  });
  // A connection that breaks while idle is replaced at the next query, which reports if that fails too.
  pool.on('error', () => undefined);
  try {
    await pool.query('select 1');
    return pool;
  } catch (error) {
    await pool.end();
    throw new ConfigError(
      `Cannot use the database ${databaseUrl}: ${toError(error).message}. Check REROLL_DATABASE_URL and that the server runs.`,
      { cause: error },
    );
  }
}

/** From here on no message shows it, wherever in the URL it stands. */
function registerPassword(databaseUrl: string): void {
  if (!URL.canParse(databaseUrl))
    throw new ConfigError(
      'REROLL_DATABASE_URL is no URL. It looks like postgres://USER@HOST:5432/DATABASE; a password goes after USER, as :PASSWORD, its special characters written like %40.',
    );
  const url = new URL(databaseUrl);
  passwordOf(url);
  registerSecret(url.searchParams.get('password') ?? '');
}
