import { randomUUID } from 'node:crypto';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSketchServer, type SketchServer } from '../../sketch/index.js';
import { findPostgres, startPostgres, type PostgresServer } from '../support/postgres.js';
import { redisAvailable, startRedis, type RedisServer } from '../support/redis.js';
import { tinyModel, makeWorkspace, type Workspace } from '../support/workspace.js';

const kills = 20;

/** Two servers that live on while the runs against them are killed, as real ones do. */
let servers: SketchServer[];
let undisturbed: unknown[];

const pipeline = () => ({
  name: 'killed',
  seed: 77,
  backends: servers.map(({ url }, place) => ({ name: `server${place}`, kind: 'a1111', url, slots: 2 })),
  generate: { width: 256, height: 256, steps: 8 },
  prompts: [
    { text: 'a {soft|hard} hand', count: 30 },
    { text: 'photo of a hand', count: 20, priority: 3 },
  ],
  gate: { model: tinyModel },
  retry: { attempts: 4, ladder: ['new_seed', { adjust: { cfg_scale: '+1' } }] },
  output: { dir: 'out', filename: '{{prompt}}-{{shot}}-{{seed}}', keep_rejected: true },
});

beforeAll(async () => {
  const start = (latencyMs: number) =>
    Promise.all([1, 2].map(() => startSketchServer({ latencyMs, badRate: 0.5 })));
  servers = await start(10);
  const workspace = await makeWorkspace(pipeline());
  const finished = await workspace.reroll(['run', 'pipeline.yaml', '--json']);
  expect(finished.code, finished.stderr).toBeLessThanOrEqual(1);
  undisturbed = await workspace.manifest('killed-1');
  expect(undisturbed).toHaveLength(50);
  await workspace.remove();
  await closeServers();
  // Slow enough that the run outlives all of its kills.
  servers = await start(700);
});

afterAll(closeServers);

async function closeServers(): Promise<void> {
  await Promise.all(servers.map((server) => server.close()));
}

/** Starts the run, kills it at random moments, and resumes it after each. */
async function killAndResume(workspace: Workspace, env: NodeJS.ProcessEnv): Promise<void> {
  const first = workspace.start(['run', 'pipeline.yaml', '--json'], env);
  await first.saw(/shot \d+ accepted/);
  first.child.kill('SIGKILL');
  await first.finished;
  for (let kill = 2; kill <= kills; kill++) {
    const resumed = workspace.start(['resume', '--json'], env);
    // Time is the subject here: a random moment, while it opens its state, works, or writes.
    await Promise.race([delay(300 + Math.random() * 2500), resumed.finished]);
    resumed.child.kill('SIGKILL');
    const { signal, stderr } = await resumed.finished;
    expect(signal, stderr).toBe('SIGKILL');
  }
  await leaveBehind(workspace, env['REROLL_DATABASE_URL'] !== undefined);
  const last = await workspace.reroll(['resume', '--json'], env);
  expect(last.code, last.stderr).toBeLessThanOrEqual(1);
}

/** What a kill leaves only where it comes at the right moment, and long ago: others may write where a database is shared. */
async function leaveBehind({ dir }: Workspace, isShared: boolean): Promise<void> {
  const id = randomUUID();
  for (const folder of ['out/killed-1', '.reroll/candidates/killed-1'])
    await writeFile(join(dir, folder, `.1.png.${id}.tmp`), 'half');
  if (!isShared) await mkdir(join(dir, '.reroll', `db.${id}.new`));
  for (const name of await readdir(dir, { recursive: true }))
    if (isShared && name.endsWith('.tmp')) await utimes(join(dir, name), 0, 0);
}

async function expectWhole(workspace: Workspace): Promise<void> {
  expect(await workspace.manifest('killed-1')).toEqual(undisturbed);
  const files = (await readdir(join(workspace.dir, 'out', 'killed-1'))).filter((name) =>
    name.endsWith('.png'),
  );
  expect(files).toHaveLength(50);
  const all = await readdir(workspace.dir, { recursive: true });
  expect(all.filter((name) => /\.(tmp|new|sock)$/.test(name))).toEqual([]);
}

describe('a run that is killed again and again', () => {
  it('ends like an undisturbed one, with the embedded queue', async () => {
    const workspace = await makeWorkspace(pipeline());
    await killAndResume(workspace, {});
    await expectWhole(workspace);
    await workspace.remove();
  });
});

const programs = findPostgres();

describe.runIf(programs !== undefined && redisAvailable())(
  'a run in PostgreSQL with its queue on Redis',
  () => {
    let redis: RedisServer;
    let postgres: PostgresServer;
    beforeAll(async () => {
      [redis, postgres] = await Promise.all([startRedis(), startPostgres(programs ?? '')]);
    });
    afterAll(() => Promise.all([redis.close(), postgres.close()]));

    it('ends like an undisturbed one, however often it is killed', async () => {
      const workspace = await makeWorkspace(pipeline());
      const env = { REROLL_REDIS_URL: redis.url, REROLL_DATABASE_URL: postgres.url };
      await killAndResume(workspace, env);
      await expectWhole(workspace);
      await workspace.remove();
    });
  },
);

describe.runIf(programs !== undefined)('a run in PostgreSQL', () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres(programs ?? '');
  });
  afterAll(() => postgres.close());

  it('is one process’s, also among machines that share the database', async () => {
    const [here, there] = await Promise.all([makeWorkspace(pipeline()), makeWorkspace(pipeline())]);
    const env = { REROLL_DATABASE_URL: postgres.url };
    const started = here.start(['run', 'pipeline.yaml', '--json'], env);
    await started.saw(/shot \d+ accepted/);
    const second = await there.reroll(['resume', 'killed-1'], env);
    expect(second.stderr).toContain('another reroll process works on killed-1');
    expect(second.code).toBe(2);
    const finished = await started.finished;
    expect(finished.code, finished.stderr).toBeLessThanOrEqual(1);
    await expectWhole(here);
    await Promise.all([here.remove(), there.remove()]);
  });
});

describe.runIf(redisAvailable())('a run with its queue on Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.close());

  it('ends like an undisturbed one, however often it is killed', async () => {
    const workspace = await makeWorkspace(pipeline());
    await killAndResume(workspace, { REROLL_REDIS_URL: redis.url });
    await expectWhole(workspace);
    expect(await redis.keys()).toEqual([]);
    await workspace.remove();
  });

  it('ends like an undisturbed one when Redis is flushed in the middle', async () => {
    const workspace = await makeWorkspace(pipeline());
    const started = workspace.start(['run', 'pipeline.yaml', '--json'], { REROLL_REDIS_URL: redis.url });
    await started.saw(/shot \d+ accepted/);
    await redis.flush();
    const finished = await started.finished;
    expect(finished.code, finished.stderr).toBeLessThanOrEqual(1);
    await expectWhole(workspace);
    await workspace.remove();
  });
});
