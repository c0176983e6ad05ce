import type pg from 'pg';
import { toError } from '../errors.js';

/** Runs `work` between BEGIN and COMMIT on a client of its own; whatever it throws undoes it all. */
export async function transaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    // A connection that cannot even roll back must not go back to the pool.
    await client.query('rollback').catch((failure: unknown) => (broken = toError(failure)));
    throw error;
  } finally {
    client.release(broken);
  }
}
