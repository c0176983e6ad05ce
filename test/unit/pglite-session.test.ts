import type { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import { expect, test } from 'vitest';
import { PGliteSession } from '../../src/ledger/pglite-session.js';

/** A type byte, the length with itself, the body. */
const frame = (type: string, body: string) =>
  Buffer.concat([Buffer.from(type), Buffer.from([0, 0, 0, body.length + 4]), Buffer.from(body)]);

test('a database that breaks in a transaction is an error for all, and nobody waits for ever', async () => {
  let turns = 0;
  const session = new PGliteSession({
    execProtocolRawStream: async (_messages, options) => {
      if (++turns > 1) throw new Error('out of memory');
      options.onRawData(Buffer.concat([frame('C', 'BEGIN\0'), frame('Z', 'T')]));
    },
  } satisfies Pick<PGlite, 'execProtocolRawStream'>);
  const pool = new pg.Pool({ stream: () => session.connect() });
  const client = await pool.connect();
  client.on('error', () => undefined);
  await client.query('BEGIN');
  const other = pool.query('SELECT 1');
  await expect(client.query('SELECT 2')).rejects.toThrow('out of memory');
  client.release(true);
  await expect(other).rejects.toThrow('out of memory');
  await pool.end();
});
