import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
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

/** Opens the database in `dataDir`, made on first use. `end()` closes it. Not guarded against a second process. */
export async function openPGlitePool(dataDir: string): Promise<PGlitePool> {
  await fillDataDir(dataDir);
  const db = await PGlite.create({ dataDir });
  const session = new PGliteSession(db);

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
