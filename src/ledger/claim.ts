import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { ConfigError } from '../errors.js';

/** How long a run that is over waits for a database that no longer answers. */
const unlockMs = 5_000;

/** Of `$1`, the run's id. */
const key = `hashtextextended('reroll run ' || $1, 0)`;

/**
 * An advisory lock of the database's, held by a connection of its own: it ends with the process, however that ends.
 * The embedded database has one process anyway, and grants it. https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
 */
export async function claimRun(pool: pg.Pool, id: string): Promise<() => Promise<void>> {
  const client = await pool.connect();
  // A connection that breaks loses the lock, and nothing else: each step is guarded by the state that it expects.
  const onError = () => undefined;
  client.on('error', onError);
  const leave = () => {
    client.off('error', onError);
    // Closed, not pooled: its settings are its own.
    client.release(true);
  };
  try {
    // A machine that lost its power never says goodbye: a minute later its runs are free.
    const { rows } = await client.query<{ claimed: boolean }>(
      `select pg_try_advisory_lock(${key}) as claimed,
         set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),
         set_config('tcp_keepalives_count', '3', false)`,
      [id],
    );
    if (rows[0]?.claimed !== true) {
      throw new ConfigError(
        `another reroll process works on ${id}, on this machine or on one that shares its database. Wait until it is done, or stop it there.`,
      );
    }
  } catch (error) {
    leave();
    throw error;
  }
  return async () => {
    // Where the connection is gone, so is the lock; where nothing answers, closing it must do.
    const unlocked = client.query(`select pg_advisory_unlock(${key})`, [id]).catch(() => undefined);
    await Promise.race([unlocked, delay(unlockMs, undefined, { ref: false })]);
    leave();
  };
}
