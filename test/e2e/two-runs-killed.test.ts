import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { startSketchServer, type SketchServer } from '../../sketch/index.js';
import { readLock } from '../../src/ledger/lock.js';
import { findPostgres, startPostgres } from '../support/postgres.js';
import { redisAvailable, startRedis } from '../support/redis.js';
import { sharingPipeline } from '../support/two-runs.js';
import { makeWorkspace, type Workspace } from '../support/workspace.js';

/** The long form, for a change of what survives a kill: REROLL_TEST_KILLS=20 REROLL_TEST_SHOTS=200. */
const kills = Number(process.env['REROLL_TEST_KILLS'] ?? 1);
const shots = Number(process.env['REROLL_TEST_SHOTS'] ?? 24);

const names = ['a', 'b'] as const;
type Name = (typeof names)[number];

let servers: SketchServer[];
/** What each run makes when nobody else is there, and nothing is killed. */
let alone: Record<Name, unknown[]>;

const pipeline = (name: Name) => sharingPipeline(name, names.indexOf(name) + 1, shots, servers);

/** Servers whose run of all shots lasts as long as all kills take. */
const start = (latencyMs: number) =>
  Promise.all([1, 2].map(() => startSketchServer({ latencyMs, badRate: 0.5 })));
const stop = () => Promise.all(servers.map((server) => server.close()));

async function folder(): Promise<Workspace> {
  const workspace = await makeWorkspace({});
  for (const name of names) await writeFile(join(workspace.dir, `${name}.yaml`), stringify(pipeline(name)));
  return workspace;
}

beforeAll(async () => {
  servers = await start(1);
  const workspace = await folder();
  alone = { a: [], b: [] };
  for (const name of names) {
    const { code, stderr } = await workspace.reroll(['run', `${name}.yaml`, '--json']);
    expect(code, stderr).toBeLessThanOrEqual(1);
    alone[name] = await workspace.manifest(`${name}-1`);
    expect(alone[name]).toHaveLength(shots);
  }
  await workspace.remove();
  await stop();
  servers = await start((kills * 4_000) / shots);
});

afterAll(stop);

/** Starts both runs, kills whichever process holds the folder (or, where none does, one after the other), and resumes. */
async function killInTurns(workspace: Workspace, env: NodeJS.ProcessEnv): Promise<void> {
  const begin = (name: Name) => workspace.start(['run', `${name}.yaml`, '--json'], env);
  const started = { a: begin('a'), b: begin('b') };
  for (const name of names) await started[name].saw(/shot \d+ accepted/);
  for (let killed = 0; killed < kills; killed++) {
    // Time is the subject here: a random moment, while one takes over, or opens its state, works or writes.
    await delay(300 + Math.random() * 2_000);
    const holder = (await readLock(join(workspace.dir, '.reroll')))?.pid;
    const name = names.find((each) => started[each].child.pid === holder) ?? names[killed % 2]!;
    started[name].child.kill('SIGKILL');
    const { signal, code, stdout, stderr } = await started[name].finished;
    expect(signal, `${killed} kills; ended with ${code} before:\n${stderr}${stdout}`).toBe('SIGKILL');
    started[name] = workspace.start(['resume', `${name}-1`, '--json'], env);
  }
  for (const name of names) {
    const { code, stderr } = await started[name].finished;
    expect(code, stderr).toBeLessThanOrEqual(1);
  }
}

async function expectBothWhole(env: NodeJS.ProcessEnv): Promise<void> {
  const workspace = await folder();
  await killInTurns(workspace, env);
  for (const name of names) expect(await workspace.manifest(`${name}-1`)).toEqual(alone[name]);
  await workspace.remove();
}

it('two runs in one folder end as if alone, however often the process that holds it is killed', async () => {
  await expectBothWhole({});
});

it.runIf(redisAvailable())('with their queue on Redis too', async () => {
  const redis = await startRedis();
  await expectBothWhole({ REROLL_REDIS_URL: redis.url });
  await redis.close();
});

const programs = findPostgres();
it.runIf(programs !== undefined && redisAvailable())('and with their state in PostgreSQL', async () => {
  const [redis, postgres] = await Promise.all([startRedis(), startPostgres(programs ?? '')]);
  await expectBothWhole({ REROLL_REDIS_URL: redis.url, REROLL_DATABASE_URL: postgres.url });
  await Promise.all([redis.close(), postgres.close()]);
});
