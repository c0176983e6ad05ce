import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openPGlitePool, type PGlitePool } from '../../src/ledger/pglite-pool.js';

let folder: string;
let pool: PGlitePool;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reroll-pglite-'));
  pool = await openPGlitePool(join(folder, 'db'));
});

afterAll(async () => {
  await pool.end();
  await rm(folder, { recursive: true, force: true });
});

test('values come as node-postgres gives them: bigints as text, JSON and dates parsed', async () => {
  const { rows } = await pool.query(
    `SELECT 9007199254740993::bigint AS big, 7::int AS small, $1::jsonb AS json, '2024-05-06T07:08:09Z'::timestamptz AS at,
            ARRAY['a', 'b'] AS list, NULL::text AS none, 'x'::bytea AS bytes, true AS yes`,
    [JSON.stringify({ a: [1] })],
  );
  expect(rows).toEqual([
    {
      big: '9007199254740993',
      small: 7,
      json: { a: [1] },
      at: new Date('2024-05-06T07:08:09Z'),
      list: ['a', 'b'],
      none: null,
      bytes: Buffer.from('x'),
      yes: true,
    },
  ]);
});

test('rows come as arrays where that is asked for', async () => {
  const { rows } = await pool.query({ text: 'SELECT $1::int AS a, 2 AS a', values: [1], rowMode: 'array' });
  expect(rows).toEqual([[1, 2]]);
});

test('a text of several statements runs whole', async () => {
  const results = (await pool.query(
    'CREATE TABLE several (n int); INSERT INTO several VALUES (1), (2); SELECT * FROM several',
  )) as unknown as {
    rows: unknown[];
  }[];
  expect(results.at(-1)?.rows).toEqual([{ n: 1 }, { n: 2 }]);
});

test("an error carries PostgreSQL's code, and the connection goes on", async () => {
  await expect(pool.query('SELECT * FROM nowhere')).rejects.toMatchObject({ code: '42P01' });
  await expect(pool.query('SELECT $1::int', ['no number'])).rejects.toMatchObject({ code: '22P02' });
  expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
});

test('nobody else gets a word in while a transaction is open, and all others follow in order', async () => {
  await pool.query('CREATE TABLE turns (id serial, who text)');
  const client = await pool.connect();
  await client.query('BEGIN');
  const others = ['b', 'c', 'd'].map((who) => pool.query('INSERT INTO turns (who) VALUES ($1)', [who]));
  await client.query("INSERT INTO turns (who) VALUES ('a1')");
  await client.query("INSERT INTO turns (who) VALUES ('a2')");
  await client.query('COMMIT');
  client.release();
  await Promise.all(others);
  const { rows } = await pool.query<{ who: string }>('SELECT who FROM turns ORDER BY id');
  expect(rows.map((row) => row.who)).toEqual(['a1', 'a2', 'b', 'c', 'd']);
});

test.each([
  ['handed back', undefined],
  ['destroyed', true],
])('a transaction whose client is %s is rolled back', async (_, destroy) => {
  await pool.query('CREATE TABLE IF NOT EXISTS halves (n int)');
  const client = await pool.connect();
  await client.query('BEGIN');
  await client.query('INSERT INTO halves VALUES (1)');
  client.release(destroy);
  expect((await pool.query('SELECT * FROM halves')).rows).toEqual([]);
});

test('a failed transaction refuses more work until it is rolled back', async () => {
  const client = await pool.connect();
  await client.query('BEGIN');
  await expect(client.query('SELECT 1/0')).rejects.toMatchObject({ code: '22012' });
  await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' });
  await client.query('ROLLBACK');
  client.release();
  expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
});

test('a notification reaches every client that listens, even if its LISTEN came after a comment', async () => {
  const listeners = await Promise.all([pool.connect(), pool.connect()]);
  const heard = listeners.map(
    (client) =>
      new Promise((resolve) =>
        client.on('notification', ({ channel, payload }) => resolve({ channel, payload })),
      ),
  );
  await listeners[0].query('-- wakes the workers\nLISTEN news');
  await listeners[1].query('LISTEN news');
  await pool.query(`SELECT pg_notify('news', 'hello')`);
  expect(await Promise.all(heard)).toEqual(Array(2).fill({ channel: 'news', payload: 'hello' }));
  for (const client of listeners) client.release(true);
});

test('named statements work on every connection', async () => {
  const named = { name: 'twice', text: 'SELECT $1::int * 2 AS twice' };
  const results = await Promise.all(
    [1, 2, 3, 1, 2, 3].map((n) => pool.query<{ twice: number }>({ ...named, values: [n] })),
  );
  expect(results.map(({ rows }) => rows[0]?.twice)).toEqual([2, 4, 6, 2, 4, 6]);
});

test('values of a megabyte pass both ways', async () => {
  const big = 'é'.repeat(600_000);
  const { rows } = await pool.query<{ big: string }>('SELECT $1::text AS big', [big]);
  expect(rows[0]?.big === big).toBe(true);
});

test('transactions and savepoints work on it', async () => {
  await pool.query('CREATE TABLE notes (body text)');
  const client = await pool.connect();
  await client.query(`BEGIN; INSERT INTO notes VALUES ('kept'); SAVEPOINT inner_one`);
  await expect(client.query('INSERT INTO no_table VALUES (1)')).rejects.toThrow('no_table');
  await client.query(`ROLLBACK TO inner_one; INSERT INTO notes VALUES ('kept too'); COMMIT`);
  await client.query(`BEGIN; INSERT INTO notes VALUES ('undone'); ROLLBACK`);
  client.release();
  const { rows } = await pool.query('SELECT body FROM notes');
  expect(rows).toEqual([{ body: 'kept' }, { body: 'kept too' }]);
});

test('a long row of queries leaves room for timers', async () => {
  let ticks = 0;
  const ticker = setInterval(() => ticks++, 0);
  for (let i = 0; i < 200; i++) await pool.query('SELECT 1');
  clearInterval(ticker);
  expect(ticks).toBeGreaterThan(5);
});

test('what was written is there when the folder is opened again', async () => {
  const dataDir = join(folder, 'again');
  const first = await openPGlitePool(dataDir);
  await first.query('CREATE TABLE kept AS SELECT 42 AS answer');
  await first.end();
  const second = await openPGlitePool(dataDir);
  expect((await second.query('SELECT answer FROM kept')).rows).toEqual([{ answer: 42 }]);
  await second.end();
});

test('new folders are copies of one database in the cache, and do without where there can be no cache', async () => {
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
  const first = await openPGlitePool(join(folder, 'first'));
  await first.query('CREATE TABLE mine AS SELECT 1');
  await first.end();
  const second = await openPGlitePool(join(folder, 'second'));
  await expect(second.query('SELECT * FROM mine')).rejects.toMatchObject({ code: '42P01' });
  await second.end();
  expect(await readdir(join(folder, 'cache', 'reroll'))).toEqual([expect.stringMatching(/^pglite-/)]);

  await writeFile(join(folder, 'no-folder'), '');
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'no-folder'));
  const third = await openPGlitePool(join(folder, 'third'));
  expect((await third.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await third.end();
  vi.unstubAllEnvs();
  expect((await readdir(folder)).filter((name) => name.includes('.'))).toEqual([]);
});

test('answers that were read leave nothing behind: a run of a night asks millions of times', async () => {
  const child = fork(resolve('test/support/pglite-reader.ts'), [join(folder, 'read')], {
    execArgv: ['--expose-gc', '--import', 'tsx'],
  });
  const [grown] = (await once(child, 'message')) as [number];
  await once(child, 'exit');
  expect(grown).toBeLessThan(1_000_000);
});
