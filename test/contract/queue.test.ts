import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { Trouble } from '../../src/base/trouble.js';
import { ConfigError, QueueError } from '../../src/errors.js';
import { openPGlitePool } from '../../src/ledger/pglite-pool.js';
import { type Job, openQueues, type Queues, RetryLater, type WorkOptions } from '../../src/queue/index.js';
import { findPostgres, startPostgres, type PostgresServer } from '../support/postgres.js';
import { redisAvailable, startRedis, type RedisServer } from '../support/redis.js';

/** One way to have queues. */
interface Home {
  name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  open(): Promise<Queues>;
  /** For a process of its own. */
  place(): string;
  /** How many connections the server holds for those who wait for jobs of a queue. */
  listeners?(queue: string): Promise<number>;
  /** Everything that runs is shut, or killed, and started again; what `open()` gave before is useless. */
  restart?(): Promise<void>;
}

const unheard = (message: string): void => {
  throw new Error(`unexpected warning: ${message}`);
};

function embedded(): Home {
  let folder: string;
  let end = async (): Promise<void> => undefined;
  return {
    name: 'embedded',
    start: async () => void (folder = await mkdtemp(join(tmpdir(), 'reroll-queue-'))),
    stop: async () => {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
    async open() {
      await end();
      const pool = await openPGlitePool(folder);
      const queues = await openQueues({ pool }, unheard);
      end = async () => {
        end = async () => undefined;
        await queues.close();
        await pool.end();
      };
      return { ...queues, close: () => end() };
    },
    place: () => folder,
    restart: () => end(),
  };
}

function onRedis(): Home {
  let redis: RedisServer;
  return {
    name: 'Redis',
    start: async () => void (redis = await startRedis()),
    stop: () => redis.close(),
    open: () => openQueues({ redisUrl: redis.url }, unheard),
    place: () => redis.url,
    async restart() {
      await redis.kill();
      await redis.start();
    },
  };
}

function onPostgres(programs: string): Home {
  let postgres: PostgresServer;
  return {
    name: 'PostgreSQL',
    start: async () => void (postgres = await startPostgres(programs)),
    stop: () => postgres.close(),
    open: () =>
      openQueues({ databaseUrl: postgres.url, trouble: new Trouble('PostgreSQL', unheard) }, unheard),
    place: () => postgres.url,
    async listeners(queue) {
      const client = new pg.Client(postgres.url);
      await client.connect();
      // BullMQ names them after their queue.
      const { rowCount } = await client.query('select from pg_stat_activity where application_name = $1', [
        queue,
      ]);
      await client.end();
      return rowCount ?? 0;
    },
    async restart() {
      await postgres.kill();
      await postgres.start();
    },
  };
}

const postgres = findPostgres();
const withRedis = redisAvailable();
const homes = [
  embedded(),
  ...(withRedis ? [onRedis()] : []),
  ...(postgres === undefined ? [] : [onPostgres(postgres)]),
];

const job = (id: string, more: { priority?: number; delayMs?: number } = {}) => ({
  id,
  data: { run: 'r', shot: 1, number: 1 },
  ...more,
});

/** A handler's diary: what it was given, and a way to wait for the nth entry. */
function diary() {
  const ids: string[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  return {
    ids,
    note: (id: string) => {
      ids.push(id);
      for (const { count, resolve } of waiting) if (ids.length >= count) resolve();
    },
    has: (count: number) =>
      new Promise<void>((resolve) => {
        if (ids.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
  };
}

function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}

test('closing by force ends the wait for the next job, which would keep the process', async () => {
  const home = embedded();
  await home.start();
  const queues = await home.open();
  const set = vi.spyOn(globalThis, 'setTimeout');
  const clear = vi.spyOn(globalThis, 'clearTimeout');
  const wait = () => set.mock.results[set.mock.calls.findIndex(([, ms]) => ms === 5000)]?.value as unknown;
  const worker = queues.work('idle', {
    concurrency: 1,
    handler: async () => undefined,
    onError: console.error,
  });
  while (wait() === undefined) await new Promise(setImmediate);
  await worker.close({ force: true });
  expect(clear).toHaveBeenCalledWith(wait());
  vi.restoreAllMocks();
  await home.stop();
});

test('a worker that is closed leaves no listener behind: a run opens and closes thousands', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'reroll-queue-'));
  const pool = await openPGlitePool(folder);
  const queues = await openQueues({ pool }, unheard);
  const before = pool.listenerCount('error');
  const options = { concurrency: 1, handler: async () => undefined, onError: console.error };
  for (let count = 0; count < 3; count++) await queues.work('short', options).close();
  expect(pool.listenerCount('error')).toBe(before);
  await queues.close();
  await pool.end();
  await rm(folder, { recursive: true, force: true });
});

describe.each(homes)('queues: $name', (home) => {
  let queues: Queues;
  let queue = '';
  let count = 0;
  let errors: string[] = [];

  beforeAll(async () => {
    await home.start();
    queues = await home.open();
  });
  afterAll(async () => {
    await queues.close();
    await home.stop();
  });
  beforeEach(() => {
    queue = `test-${process.pid}-${count++}`;
    errors = [];
  });
  afterEach(async () => {
    await queues.clear(queue);
    expect(errors).toEqual([]);
  });

  const work = (handler: WorkOptions['handler'], options: Partial<WorkOptions> = {}) =>
    queues.work(queue, {
      concurrency: 1,
      handler,
      onError: (error) => errors.push(error.message),
      ...options,
    });

  const waiting = async () => {
    const { ready, delayed } = await queues.waiting(queue);
    return ready + delayed;
  };

  test('a job brings its id and its data', async () => {
    await queues.add(queue, [{ id: 'portraits-3.17.2', data: { run: 'portraits-3', shot: 17, number: 2 } }]);
    const seen = await new Promise<Job>((resolve) => work(async (given) => resolve(given)));
    expect(seen).toEqual({ id: 'portraits-3.17.2', data: { run: 'portraits-3', shot: 17, number: 2 } });
  });

  test('jobs of some runs are removed, delayed ones too, from queues with a part in their name', async () => {
    const of = (run: string, shot: number, delayMs = 0) => ({
      id: `${run}.${shot}.1`,
      data: { run, shot, number: 1 },
      delayMs,
    });
    await queues.add(queue, [of('old-1', 1), of('old-1', 2, 60_000), of('new-1', 1), of('new-1', 2, 60_000)]);
    const isOld = ({ run }: Job['data']) => run === 'old-1';
    expect(await queues.sweep('elsewhere', isOld, false)).toBe(0);
    expect(await queues.sweep(queue, isOld, true)).toBe(2);
    expect(await waiting()).toBe(4);
    expect(await queues.sweep(queue, isOld, false)).toBe(2);
    expect(await waiting()).toBe(2);
    expect(await queues.sweep(queue, isOld, false)).toBe(0);
  });

  test('all queues of a place are thrown away, those being worked on included', async () => {
    const { note, has } = diary();
    const { open, opened } = gate();
    const other = `${queue}-other`;
    await queues.add(queue, [job('a'), job('b', { delayMs: 60_000 })]);
    await queues.add(other, [job('c')]);
    work(async ({ id }) => {
      note(id);
      await opened;
    });
    await has(1);
    await queues.clearAll(`${queue}-`);
    expect(await queues.waiting(other)).toEqual({ ready: 0, delayed: 0 });
    expect(await waiting()).toBe(1);
    await queues.clearAll(queue);
    expect(await waiting()).toBe(0);
    open();
  });

  test('an id that is waiting, delayed or at work is not added again; one that is done is', async () => {
    const { note, has, ids } = diary();
    const { open, opened } = gate();
    await queues.add(queue, [job('a'), job('b', { delayMs: 50 }), job('a')]);
    await queues.add(queue, [job('a')]);
    await queues.add(queue, [job('b')]);
    expect(await waiting()).toBe(2);
    work(async ({ id }) => {
      note(id);
      await opened;
    });
    await has(1);
    await queues.add(queue, [job('a')]);
    expect(await waiting()).toBe(1);
    open();
    await has(2);
    expect(ids).toEqual(['a', 'b']);
    await queues.add(queue, [job('a')]);
    await has(3);
    expect(ids).toEqual(['a', 'b', 'a']);
  });

  test('larger priorities go first, equal ones in the order in which they came', async () => {
    const { note, has, ids } = diary();
    await queues.add(queue, [job('low', { priority: -1000 }), job('first'), job('high', { priority: 1000 })]);
    await queues.add(queue, [job('second'), job('higher', { priority: 5 })]);
    work(async ({ id }) => note(id));
    await has(5);
    expect(ids).toEqual(['high', 'higher', 'first', 'second', 'low']);
  });

  test('a delayed job comes later, without anybody asking for it', async () => {
    const { note, has } = diary();
    let cameAt = 0;
    work(async ({ id }) => {
      cameAt = Date.now();
      note(id);
    });
    const addedAt = Date.now();
    await queues.add(queue, [job('later', { delayMs: 300 })]);
    await has(1);
    expect(cameAt - addedAt).toBeGreaterThanOrEqual(300);
  });

  test('a job that is put off comes back as often as it takes, and keeps its id taken', async () => {
    const { note, has } = diary();
    await queues.add(queue, [job('a')]);
    let tries = 0;
    work(async ({ id }) => {
      await queues.add(queue, [job('a')]);
      if (++tries < 30) throw new RetryLater(1);
      note(id);
    });
    await has(1);
    expect(tries).toBe(30);
  });

  test('a handler that throws is reported, and its job may be added again', async () => {
    const { note, has } = diary();
    await queues.add(queue, [job('a')]);
    let tries = 0;
    const reported = new Promise<Error>((resolve) => {
      work(
        async ({ id }) => {
          if (++tries === 1) throw new Error('a bug');
          note(id);
        },
        { onError: resolve },
      );
    });
    expect(await reported).toMatchObject({ message: 'a bug' });
    await queues.add(queue, [job('a')]);
    await has(1);
  });

  test('sixty workers that wait leave room for those who ask', async () => {
    const names = Array.from({ length: 60 }, (_, place) => `${queue}-${place}`);
    const { note, has } = diary();
    const onError = (error: Error) => errors.push(error.message);
    const workers = names.map((name) =>
      queues.work(name, { concurrency: 1, handler: async ({ id }) => note(id), onError }),
    );
    for (const round of ['first', 'second']) {
      await Promise.all(names.map((name) => queues.add(name, [job(`${name}-${round}`)])));
      await has(round === 'first' ? 60 : 120);
    }
    await Promise.all(workers.map((worker) => worker.close({ force: true })));
    for (const name of names) await queues.clear(name);
  });

  test('a worker does as many jobs at a time as it may, and no more', async () => {
    const { note, has } = diary();
    let now = 0;
    let most = 0;
    const { open, opened } = gate();
    await queues.add(
      queue,
      Array.from({ length: 12 }, (_, i) => job(`j-${i}`)),
    );
    work(
      async ({ id }) => {
        most = Math.max(most, ++now);
        if (now === 3) open();
        await opened;
        now--;
        note(id);
      },
      { concurrency: 3 },
    );
    await has(12);
    expect(most).toBe(3);
  });

  test('a worker that is paused takes nothing, and goes on where it stopped', async () => {
    const here = diary();
    const there = diary();
    const one = work(async ({ id }) => here.note(id), { paused: true });
    await queues.add(queue, [job('a')]);
    const other = work(async ({ id }) => there.note(id));
    await there.has(1);
    other.pause();
    await queues.add(queue, [job('b'), job('c')]);
    one.resume();
    await here.has(2);
    one.pause();
    await queues.add(queue, [job('d')]);
    other.resume();
    await there.has(2);
    expect([here.ids, there.ids]).toEqual([
      ['b', 'c'],
      ['a', 'd'],
    ]);
  });

  test('a worker that is paused or closed while it begins to wait for jobs has nothing to report, and leaves no connection', async () => {
    for (let turns = 0; turns < 40; turns++) {
      const worker = work(async () => undefined);
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      if (turns % 2 === 0) worker.pause();
      await worker.close({ force: true });
    }
    if (home.listeners)
      await vi.waitFor(async () => expect(await home.listeners?.(queue)).toBe(0), { timeout: 3000 });
  });

  test('pausing does not disturb what is being worked on', async () => {
    const { note, has } = diary();
    const { open, opened } = gate();
    const started = gate();
    await queues.add(queue, [job('a'), job('b')]);
    const worker = work(async ({ id }) => {
      started.open();
      await opened;
      note(id);
    });
    await started.opened;
    worker.pause();
    open();
    await has(1);
    worker.resume();
    await has(2);
  });

  test('a worker says when there is nothing for it', async () => {
    const { open, opened } = gate();
    await queues.add(queue, [job('a')]);
    const { note, ids } = diary();
    work(async ({ id }) => note(id), { onDrained: open });
    await opened;
    expect(ids).toEqual(['a']);
  });

  test('closing waits for what is being worked on', async () => {
    const started = gate();
    const { open, opened } = gate();
    const { note, ids } = diary();
    await queues.add(queue, [job('a'), job('b')]);
    const worker = work(async ({ id }) => {
      started.open();
      await opened;
      note(id);
    });
    await started.opened;
    const closed = worker.close();
    open();
    await closed;
    expect(ids).toEqual(['a']);
    expect(await waiting()).toBe(1);
  });

  test.each([false, true])(
    'closing by force aborts handlers, and others get their jobs (after a gentle close: %s)',
    async (gentle) => {
      const { note, has } = diary();
      const started = gate();
      await queues.add(queue, [job('a')]);
      const worker = work(async (_job, signal) => {
        started.open();
        await once(signal, 'abort');
        signal.throwIfAborted();
      });
      await started.opened;
      if (gentle) void worker.close();
      await worker.close({ force: true });
      work(async ({ id }) => note(id));
      await has(1);
    },
  );

  test('a queue that was cleared is empty and can be used on', async () => {
    const { note, has, ids } = diary();
    await queues.add(queue, [job('a'), job('b', { delayMs: 1 })]);
    await queues.clear(queue);
    expect(await waiting()).toBe(0);
    work(async ({ id }) => note(id));
    await queues.add(queue, [job('c')]);
    await has(1);
    expect(ids).toEqual(['c']);
  });

  test('hundreds of jobs added at once are all done', async () => {
    const { note, has, ids } = diary();
    await queues.add(
      queue,
      Array.from({ length: 600 }, (_, i) => job(`j-${i}`)),
    );
    work(async ({ id }) => note(id), { concurrency: 8 });
    work(async ({ id }) => note(id), { concurrency: 8 });
    await has(600);
    expect(new Set(ids).size).toBe(600);
  });

  test('the job of a process that was killed comes back, where the queue is embedded once it is added again', async () => {
    queue = 'doomed';
    await queues.clear(queue);
    // The embedded database is for one process at a time.
    if (home.name === 'embedded') await queues.close();
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', 'test/support/doomed-worker.ts', home.place()],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    if (home.name === 'embedded') {
      queues = await home.open();
      await queues.add(queue, [job('doomed-1')]);
    }
    const { note, has, ids } = diary();
    work(async ({ id }) => note(id));
    await has(1);
    expect(ids).toEqual(['doomed-1']);
  });

  test.skipIf(!home.restart)('jobs outlast a restart of the server', async () => {
    await queues.add(queue, [job('a', { priority: 1 }), job('b', { delayMs: 1 }), job('c', { priority: 2 })]);
    await queues.close();
    await home.restart?.();
    queues = await home.open();
    expect(await waiting()).toBe(3);
    const { note, has, ids } = diary();
    work(async ({ id }) => note(id));
    await has(3);
    expect([...ids].sort()).toEqual(['a', 'b', 'c']);
    expect(ids.indexOf('c')).toBeLessThan(ids.indexOf('a'));
  });
});

describe.runIf(withRedis)('queues on Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => void (redis = await startRedis()));
  afterAll(() => redis.close());

  test('workers and callers outlast a restart of the server', async () => {
    const warnings: string[] = [];
    const back = gate();
    const queues = await openQueues({ redisUrl: redis.url }, (message) => {
      warnings.push(message);
      if (message.includes('is well again')) back.open();
    });
    const { note, has, ids } = diary();
    const started = gate();
    const { open, opened } = gate();
    const errors: Error[] = [];
    await queues.add('outlast', [job('a')]);
    queues.work('outlast', {
      concurrency: 1,
      handler: async ({ id }) => {
        started.open();
        await opened;
        note(id);
      },
      onError: (error) => errors.push(error),
    });
    await started.opened;
    await redis.kill();
    const added = queues.add('outlast', [job('b')]);
    open();
    await redis.start();
    await added;
    await has(2);
    await back.opened;
    expect(ids).toEqual(['a', 'b']);
    expect(errors).toEqual([]);
    expect(warnings).toEqual([
      expect.stringContaining('does not answer'),
      expect.stringContaining('is well again'),
    ]);
    await queues.close();
  });

  test('workers outlast FLUSHALL: what is added again is done', async () => {
    const queues = await openQueues({ redisUrl: redis.url }, unheard);
    const { note, has, ids } = diary();
    const errors: Error[] = [];
    const started = gate();
    const { open, opened } = gate();
    await queues.add('flushed', [job('a'), job('b'), job('c')]);
    queues.work('flushed', {
      concurrency: 1,
      handler: async ({ id }) => {
        started.open();
        await opened;
        note(id);
      },
      onError: (error) => errors.push(error),
    });
    await started.opened;
    await redis.flush();
    open();
    await has(1);
    await queues.add('flushed', [job('b'), job('c')]);
    await has(3);
    expect(ids).toEqual(['a', 'b', 'c']);
    expect(errors).toEqual([]);
    await queues.close();
  });

  test('adding to a server that stays away is a QueueError, which is worth trying again', async () => {
    const own = await startRedis();
    const queues = await openQueues({ redisUrl: own.url }, () => undefined);
    await own.kill();
    await expect(queues.add('away', [job('a')])).rejects.toThrow(QueueError);
    await queues.close();
    await own.close();
  });

  test('a server that may throw keys away is warned of', async () => {
    const own = await startRedis(['--maxmemory-policy', 'allkeys-lru']);
    const warnings: string[] = [];
    const queues = await openQueues({ redisUrl: own.url }, (message) => warnings.push(message));
    expect(warnings).toEqual([
      expect.stringContaining('set its maxmemory-policy to noeviction, not allkeys-lru'),
    ]);
    await queues.close();
    await own.close();
  });

  test('a wrong password says so, and shows no password', async () => {
    const own = await startRedis(['--requirepass', 'right-password']);
    const opening = openQueues({ redisUrl: own.url.replace('//', '//:wrong-password@') }, unheard);
    await expect(opening).rejects.toThrow(ConfigError);
    await expect(opening).rejects.toThrow(/WRONGPASS|NOAUTH/);
    await expect(opening).rejects.not.toThrow(/wrong-password/);
    const queues = await openQueues({ redisUrl: own.url.replace('//', '//:right-password@') }, unheard);
    await queues.close();
    await own.close();
  });
});

describe('queues that cannot be opened', () => {
  test('where nothing answers the error says what to do', async () => {
    const opening = openQueues({ redisUrl: 'redis://127.0.0.1:1' }, unheard);
    await expect(opening).rejects.toThrow(ConfigError);
    await expect(opening).rejects.toThrow(/127\.0\.0\.1:1 .*ECONNREFUSED.*docker compose up/);
  });

  test('where something answers that is no Redis, or nothing comes, the wait is bounded', async () => {
    const mute = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const { port } = mute.address() as { port: number };
    await expect(openQueues({ redisUrl: `redis://127.0.0.1:${port}` }, unheard)).rejects.toThrow(
      /no answer in 5 s/,
    );
    mute.close();
  });

  test.each(['localhost:6379', 'http://localhost:6379', ''])('%j is no Redis URL', async (redisUrl) => {
    await expect(openQueues({ redisUrl }, unheard)).rejects.toThrow(/write redis:/);
  });

  test('a PostgreSQL server that does not answer is a ConfigError without the password', async () => {
    const databaseUrl = 'postgres://me:top-secret@127.0.0.1:1/db';
    const opening = openQueues({ databaseUrl, trouble: new Trouble('PostgreSQL', unheard) }, unheard);
    await expect(opening).rejects.toThrow(/PostgreSQL at 127\.0\.0\.1:1 cannot hold the queue/);
    await expect(opening).rejects.not.toThrow(/top-secret/);
  });
});
