import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import { DamagedError, systemCode, toError } from '../errors.js';
import { DurableFs } from './durable-fs.js';
import { PGliteSession } from './pglite-session.js';
import { fillDataDir } from './pglite-template.js';

/**
 * A `pg.Pool` whose server is PGlite, in this process. Its clients are real node-postgres clients,
 * so that rows, types, errors, transactions and notifications are exactly those of a PostgreSQL
 * server; only the socket under each is ours.
 *
 * All clients share PGlite's one session: settings (`SET ...`) made by one hold for all, and work
 * inside a transaction must use the transaction's own client: any other waits for its end.
 */
export type PGlitePool = pg.Pool;

/** PGlite's own, but for -F, which turns fsync off; and by the one of the ways to sync that reaches Emscripten's file system. */
const startParams = [
  ...PGlite.defaultStartParams.filter((parameter) => parameter !== '-F'),
  ...['-c', 'wal_sync_method=fsync'],
];

/**
 * Opens the database in `dataDir`, made on first use. `end()` closes it. Not guarded against a second process.
 * Throws StorageError where it is damaged.
 */
export async function openPGlitePool(dataDir: string): Promise<PGlitePool> {
  await fillDataDir(dataDir);
  // PGlite would make a new database over what is left of the old one.
  if (!(await isFile(join(dataDir, 'PG_VERSION')))) throw damaged(dataDir, 'its file PG_VERSION is missing');
  const fs = new DurableFs(dataDir);
  const db = await PGlite.create({ fs, startParams }).catch(async (error: unknown) => {
    throw await whyUnopened(dataDir, error);
  });
  const session = new PGliteSession(db, fs);

  class EmbeddedPool extends pg.Pool {
    override async end(): Promise<void> {
      await super.end();
      await db.close();
    }
  }
  const pool = new EmbeddedPool({
    stream: () => session.connect(),
    // Who listens keeps a client for good (one per queue worker), so there must be plenty. Each is a small object.
    max: 200,
    idleTimeoutMillis: 0,
    // There is no network to lose: BullMQ may wait for notifications without looking now and then.
    keepAlive: true,
  });
  // A client that comes back in the middle of a transaction would block every other one for ever.
  pool.on('release', (_error, client) => {
    const status = client.getTransactionStatus();
    if (status === 'T' || status === 'E') client.query('ROLLBACK').catch(() => undefined);
  });
  return pool;
}

/** PostgreSQL gives up by ending its process, here its WebAssembly: then no message says why. */
async function whyUnopened(dataDir: string, error: unknown): Promise<unknown> {
  if (systemCode(error) !== undefined) return error;
  const { bavail, bsize } = await statfs(dataDir);
  // It writes a segment of its log, 16 MB, at every start.
  if (bavail * bsize < 20_000_000) return Object.assign(toError(error), { code: 'ENOSPC' });
  return damaged(dataDir, 'PostgreSQL gave up on its files', error);
}

function damaged(dataDir: string, why: string, cause?: unknown): DamagedError {
  return new DamagedError(
    `The ledger in ${dataDir} is damaged and cannot be opened (${why}): the disk lost what was written, or something was deleted there. ` +
      'What it knew of its runs is lost: which shots are still to be made, and the candidates that waited for a verdict. ' +
      'Images that were published are whole, in the output folders, and each says how it was made. ' +
      '`reroll doctor PIPELINE --rebuild RUN` records a run anew from them, and `reroll resume` makes the rest. ' +
      `To start anew, move ${dataDir} away, or set REROLL_HOME to another folder. From a backup, put back the whole folder, never single files.`,
    dataDir,
    { cause },
  );
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );
