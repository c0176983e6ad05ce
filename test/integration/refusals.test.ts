import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTruth, startSketchServer, type SketchServer } from '../../sketch/index.js';
import type { Classifier } from '../../src/classifier/index.js';
import { StorageError } from '../../src/errors.js';
import { findPostgres, startPostgres, type PostgresServer } from '../support/postgres.js';
import { redisAvailable, startRedis, type RedisServer } from '../support/redis.js';
import { runPipeline, type ManifestLine } from '../support/run.js';
import { scoresOf } from '../support/scores.js';
import { openWay, type Way } from '../support/way.js';

/** One way in which a server refuses for a while. */
interface Refusal {
  name: string;
  told: RegExp;
  begin: () => Promise<unknown>;
  end: () => Promise<unknown>;
  /** Only in the long form. */
  isRare?: boolean;
}

/** The long form (`npm run test:refusals`): every way for so long, in a run of its own. The short: all ways in one run. */
const longMs = Number(process.env['REROLL_TEST_REFUSE_SECONDS'] ?? 0) * 1000;
const shortMs = 300;

let dir: string;
let artist: SketchServer;
let undisturbed: ManifestLine[];

const classifier: Classifier = {
  model: { name: 'truth', revision: 'none', dtype: 'none' },
  labels: ['Bad_Anatomy', 'Good_Anatomy'],
  async classify(image) {
    const isGood = typeof image !== 'string' && readTruth(image)?.truth.anatomy === 'good';
    return scoresOf({ Bad_Anatomy: isGood ? 0 : 1, Good_Anatomy: isGood ? 1 : 0 });
  },
  close: async () => undefined,
};

const pipeline = () => ({
  name: 'refused',
  seed: 9,
  backends: [{ name: 'artist', kind: 'a1111', url: artist.url, slots: 2 }],
  generate: { width: 64, height: 64, steps: 4 },
  prompts: [{ text: 'a hand', count: 24 }],
  gate: { model: 'truth' },
  retry: { attempts: 3 },
  output: { dir: 'out', keep_rejected: true },
});

/** Runs the pipeline, in the middle of which the server refuses, in one way after the other. */
async function expectUndisturbed(name: string, env: NodeJS.ProcessEnv, refusals: Refusal[]) {
  const warnings: string[] = [];
  const isTold = (told: RegExp) => warnings.some((message) => told.test(message));
  let hear = (): void => undefined;
  const heard = async (isThere: () => boolean) => {
    while (!isThere()) await new Promise<void>((resolve) => (hear = resolve));
  };
  let judged = 0;
  const refuse = async () => {
    for (const { told, begin, end } of refusals) {
      const from = judged;
      await heard(() => judged >= from + 2);
      const troubles = warnings.length;
      // What looks like something that was told just before is not told again.
      const isNews = !isTold(told);
      await begin();
      if (isNews) await heard(() => isTold(told));
      await delay(longMs || shortMs);
      await end();
      if (isNews)
        await heard(() => warnings.slice(troubles).some((message) => /is well again/.test(message)));
    }
  };
  const before = artist.stats().requests;
  const running = runPipeline(dir, pipeline(), {
    name,
    env,
    classifier,
    onEvent(event) {
      if (event.type === 'judged') judged++;
      if (event.type === 'warning') warnings.push(event.message);
      hear();
    },
  });
  const [ran] = await Promise.all([running, refuse()]);
  expect(ran.manifest).toEqual(undisturbed);
  // What was paid for is not paid for again.
  expect(artist.stats().requests - before).toBe(ran.summary.attempts);
  for (const { told } of refusals) expect(warnings.filter((message) => told.test(message))).toHaveLength(1);
  expect(warnings.filter((message) => !/nothing is lost|is well again/.test(message))).toEqual([]);
}

const runs = (refusals: Refusal[]): [string, Refusal[]][] =>
  longMs > 0
    ? refusals.map((refusal) => [refusal.name, [refusal]])
    : [['one way after the other', refusals.filter(({ isRare }) => !isRare)]];

const programs = findPostgres();
let postgres: PostgresServer | undefined;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reroll-refused-'));
  artist = await startSketchServer({ latencyMs: 30, badRate: 0.5 });
  if (programs !== undefined) postgres = await startPostgres(programs, ['-c', 'max_connections=60']);
  undisturbed = (await runPipeline(dir, pipeline(), { name: 'undisturbed', classifier })).manifest;
});

afterAll(async () => {
  await artist.close();
  await postgres?.close();
  await rm(dir, { recursive: true, force: true });
});

describe.runIf(redisAvailable())('a Redis that refuses', () => {
  let redis: RedisServer;
  let other: RedisServer;
  let admin: Redis;
  let way: Way;
  let folder = '';
  const port = ({ url }: RedisServer) => Number(new URL(url).port);

  beforeAll(async () => {
    // It answers while it loads, and takes its time.
    const loading = ['--key-load-delay', '2000', '--loading-process-events-interval-bytes', '1024'];
    const settings = ['--enable-protected-configs', 'yes', ...loading];
    [redis, other] = await Promise.all([startRedis(settings), startRedis()]);
    admin = new Redis(redis.url).on('error', () => undefined);
    [, folder = ''] = await admin.config('GET', 'dir');
    way = await openWay(port(redis));
  });
  afterAll(async () => {
    admin.disconnect();
    await way.close();
    await Promise.all([redis.close(), other.close()]);
  });

  const set = (key: string, value: string) => admin.config('SET', key, value);

  const refusals: Refusal[] = [
    {
      name: 'while it is gone, and then loads (LOADING)',
      told: /does not answer/,
      begin: () => redis.kill(),
      end: () => redis.start(),
    },
    {
      name: 'as a replica (READONLY)',
      told: /is a replica/,
      begin: () => admin.replicaof('127.0.0.1', 1),
      end: () => admin.replicaof('NO', 'ONE'),
    },
    {
      name: 'for want of replicas (NOREPLICAS)',
      told: /waits for other servers/,
      begin: () => set('min-replicas-to-write', '1'),
      end: () => set('min-replicas-to-write', '0'),
    },
    {
      name: 'for want of memory (OOM)',
      told: /full memory/,
      begin: () => set('maxmemory', '100kb'),
      end: () => set('maxmemory', '0'),
    },
    {
      name: 'since it cannot save (MISCONF)',
      told: /cannot save its data/,
      async begin() {
        await set('dir', '/proc');
        await set('save', '1 1');
        while (!(await admin.info('persistence')).includes('rdb_last_bgsave_status:err')) {
          // It may be about to save by itself.
          await admin.bgsave().catch(() => undefined);
          await delay(10);
        }
      },
      async end() {
        await set('save', '');
        await set('dir', folder);
      },
    },
    {
      // A cluster of its own cannot hold the queue, whose keys have no hash tag.
      name: 'since its cluster is down (CLUSTERDOWN)',
      told: /does not answer|waits for other servers/,
      begin: async () => way.bar(always('CLUSTERDOWN The cluster is down')),
      end: async () => way.bar(undefined),
      isRare: true,
    },
    {
      name: 'since it was demoted, until its name leads to the new master',
      told: /is a replica/,
      begin: () => admin.replicaof('127.0.0.1', port(other)),
      end: async () => way.leadTo(port(other)),
      isRare: true,
    },
  ];
  /** An error for each command, as they come in arrays. */
  const always = (error: string) => (data: Buffer) =>
    `-${error}\r\n`.repeat(Math.max(1, data.toString('latin1').match(/(^|\r\n)\*\d+\r\n/g)?.length ?? 0));

  it.each(runs(refusals))('%s, is waited for, and told of once', async (name, ways) => {
    // Where the ledger is shared, what is missing in the queue is looked for more often.
    const database = postgres && { REROLL_DATABASE_URL: postgres.url };
    const redisUrl = `redis://127.0.0.1:${way.port}`;
    await expectUndisturbed(`redis-${name}`, { ...database, REROLL_REDIS_URL: redisUrl }, ways);
  });
});

describe.runIf(programs !== undefined)('a PostgreSQL that refuses', () => {
  const server = () => postgres as PostgresServer;
  const holders: pg.Client[] = [];

  async function open(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: server().url,
      application_name: 'holds',
      options: '-c default_transaction_read_only=off',
    });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  async function sql(...statements: string[]): Promise<void> {
    const client = await open();
    for (const statement of statements) await client.query(statement);
    await client.end();
  }

  const terminate = `select pg_terminate_backend(pid) from pg_stat_activity
    where application_name <> 'holds' and backend_type = 'client backend'`;

  /** Ends those of the run, and takes their places, until none is left. */
  async function takeAll(): Promise<void> {
    const first = await open();
    holders.push(first);
    for (let refused = 0; refused < 3;) {
      await first.query(terminate);
      const opened = await open().catch(() => refused++);
      if (opened instanceof pg.Client) holders.push(opened);
    }
  }

  /** What a database says whose disk is full, at every write. */
  const tables = ['reroll.attempts', 'reroll.shots', 'reroll.events', 'bullmq.job'];
  const fillDisk = () =>
    sql(
      `create function public.full_disk() returns trigger language plpgsql as $$ begin
         raise exception 'could not extend file "base/5/16384": No space left on device' using errcode = '53100';
       end $$`,
      ...tables.map(
        (table) =>
          `create trigger full_disk before insert or update on ${table} execute function public.full_disk()`,
      ),
    );

  const refusals: Refusal[] = [
    {
      name: 'while it is restarted',
      told: /being restarted|does not answer/,
      begin: () => server().stop(),
      end: () => server().start(),
    },
    {
      name: 'for want of connections',
      told: /no connection left|being restarted|does not answer/,
      begin: takeAll,
      end: () => Promise.all(holders.splice(0).map((client) => client.end())),
      isRare: true,
    },
    {
      name: 'as a read-only one',
      told: /takes no writes/,
      begin: () => sql('alter system set default_transaction_read_only = on', 'select pg_reload_conf()'),
      end: () => sql('alter system reset default_transaction_read_only', 'select pg_reload_conf()'),
    },
    {
      name: 'with a full disk',
      told: /disk that is full/,
      begin: fillDisk,
      end: () => sql('drop function public.full_disk cascade'),
    },
  ];

  it('stays away, and the user leaves at once: the reason is told', async () => {
    const force = new AbortController();
    const options = { name: 'left', env: { REROLL_DATABASE_URL: server().url }, classifier };
    const left = runPipeline(dir, pipeline(), {
      ...options,
      signals: { force: force.signal },
      onEvent(event) {
        if (event.type === 'shot-ended') void server().stop();
        if (event.type === 'warning') force.abort();
      },
    });
    await expect(left).rejects.toThrow(StorageError);
    await expect(left).rejects.toThrow(/Nothing that was recorded is lost/);
    await server().start();
  });

  it.each(runs(refusals))('%s, is waited for, and told of once', async (name, ways) => {
    await expectUndisturbed(`postgres-${name}`, { REROLL_DATABASE_URL: server().url }, ways);
  });
});
