import type { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import { expect, test, vi } from 'vitest';
import { PGliteSession } from '../../src/ledger/pglite-session.js';

/** A type byte, the length with itself, the body. */
const frame = (type: string, body: string) =>
  Buffer.concat([Buffer.from(type), Buffer.from([0, 0, 0, body.length + 4]), Buffer.from(body)]);

const noDisk = { isPending: false, settle: async () => undefined };

test('a database that breaks in a transaction is an error for all, and nobody waits for ever', async () => {
  let turns = 0;
  const session = new PGliteSession(
    {
      execProtocolRawStream: async (_messages, options) => {
        if (++turns > 1) throw new Error('out of memory');
        options.onRawData(Buffer.concat([frame('C', 'BEGIN\0'), frame('Z', 'T')]));
      },
    } satisfies Pick<PGlite, 'execProtocolRawStream'>,
    noDisk,
  );
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

test('a commit is answered when it is on the disk, and those that wait meanwhile share the next sync', async () => {
  const disk = {
    isPending: false,
    syncs: [] as (() => void)[],
    settle: () => new Promise<void>((done) => disk.syncs.push(done)),
  };
  const ran: string[] = [];
  const session = new PGliteSession(
    {
      execProtocolRawStream: async (message, options) => {
        ran.push(Buffer.from(message.subarray(5)).toString().replace('\0', ''));
        disk.isPending = true;
        options.onRawData(Buffer.concat([frame('C', 'INSERT 0 1\0'), frame('Z', 'I')]));
      },
    },
    disk,
  );
  const pool = new pg.Pool({ stream: () => session.connect() });
  const answered: string[] = [];
  const ask = (text: string) => pool.query(text).then(() => answered.push(text));
  const all = [ask('a')];
  await vi.waitFor(() => expect(disk.syncs).toHaveLength(1));
  all.push(ask('b'), ask('c'));
  await vi.waitFor(() => expect(ran).toEqual(['a', 'b', 'c']));
  expect(answered).toEqual([]);
  disk.syncs[0]!();
  await vi.waitFor(() => expect(disk.syncs).toHaveLength(2));
  expect(answered).toEqual(['a']);
  disk.syncs[1]!();
  await Promise.all(all);
  expect(disk.syncs).toHaveLength(2);
  await pool.end();
});

test('a commit that the disk refuses is never acknowledged, nor is any after it', async () => {
  const session = new PGliteSession(
    {
      execProtocolRawStream: async (_message, options) =>
        options.onRawData(Buffer.concat([frame('C', 'INSERT 0 1\0'), frame('Z', 'I')])),
    },
    { isPending: true, settle: () => Promise.reject(new Error('EIO: i/o error, fdatasync')) },
  );
  const pool = new pg.Pool({ stream: () => session.connect() });
  pool.on('error', () => undefined);
  await expect(pool.query('INSERT')).rejects.toThrow(/embedded database broke: EIO/);
  await expect(pool.query('SELECT 1')).rejects.toThrow(/embedded database broke: EIO/);
  await pool.end();
});
