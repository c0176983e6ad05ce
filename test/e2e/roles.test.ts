import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deferred } from '../../src/base/deferred.js';
import type { RunEvent, RunSummary } from '../../src/runtime/index.js';
import { startSketchServer, type SketchServer } from '../../sketch/index.js';
import { findPostgres, startPostgres, type PostgresServer } from '../support/postgres.js';
import { redisAvailable, startRedis, type RedisServer } from '../support/redis.js';
import { makeWorkspace, tinyModel, type Workspace } from '../support/workspace.js';

const programs = findPostgres();
const script = resolve('test/support/role-holder.ts');
const shots = 20;

type Message = { event: RunEvent } | { summary: RunSummary };

describe.runIf(programs !== undefined && redisAvailable())('roles of one run in several processes', () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  let server: SketchServer;
  let workspace: Workspace;
  let alone: unknown[];
  const children: ChildProcess[] = [];

  const pipeline = () => ({
    name: 'roles',
    seed: 8,
    backends: [{ name: 'gpu', kind: 'a1111', url: server.url, slots: 2 }],
    generate: { width: 64, height: 64, steps: 4 },
    prompts: [{ text: 'a {soft|hard} hand', count: shots }],
    gate: { model: tinyModel },
    retry: { attempts: 4, run_attempts: 60, ladder: ['new_seed', { adjust: { cfg_scale: '+1' } }] },
    output: { dir: 'out' },
  });

  const start = (roles: string, file?: string) => {
    const child = fork(script, [join(workspace.dir, 'home'), roles, ...(file ? [file] : [])], {
      execArgv: ['--import', 'tsx'],
      env: { ...process.env, REROLL_DATABASE_URL: postgres.url, REROLL_REDIS_URL: redis.url },
    });
    children.push(child);
    const heard: Message[] = [];
    let news = deferred<undefined>();
    const wake = () => {
      news.resolve(undefined);
      news = deferred();
    };
    child.on('exit', wake).on('message', (message: Message) => {
      heard.push(message);
      wake();
    });
    const events = () => heard.flatMap((message) => ('event' in message ? [message.event] : []));
    /** The first message that fits, of those that came or come. */
    const hear = async (fits: (message: Message) => boolean): Promise<Message> => {
      for (;;) {
        const found = heard.find(fits);
        if (found) return found;
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
        await news.promise;
      }
    };
    return { child, events, hear };
  };
  const of = (type: RunEvent['type']) => (message: Message) =>
    'event' in message && message.event.type === type;
  const summary = (message: Message) => 'summary' in message;

  beforeAll(async () => {
    [postgres, redis] = await Promise.all([startPostgres(programs ?? ''), startRedis()]);
    server = await startSketchServer({ latencyMs: 1, badRate: 0.5 });
    workspace = await makeWorkspace(pipeline());
    const { code, stderr } = await workspace.reroll(['run', 'pipeline.yaml', '--json']);
    expect(code, stderr).toBeLessThanOrEqual(1);
    alone = await workspace.manifest('roles-1');
    await server.close();
    // The same, slower: what happens meanwhile is the subject.
    server = await startSketchServer({ port: Number(new URL(server.url).port), latencyMs: 60, badRate: 0.5 });
  });

  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await workspace.remove();
    await Promise.all([server.close(), postgres.close(), redis.close()]);
  });

  it('make what one process alone makes', async () => {
    const agent = start('generate');
    const judge = start('judge');
    const coordinator = start('coordinate', workspace.pipeline);
    const ended = (await coordinator.hear(summary)) as { summary: RunSummary };
    expect(ended.summary).toMatchObject({ state: 'completed', shots });
    expect(await workspace.manifest(ended.summary.run)).toEqual(alone);
    // Each did its own part, and nobody another's.
    const did = (process: typeof agent) => new Set(process.events().map(({ type }) => type));
    expect(did(agent)).toContain('generated');
    expect(did(agent)).not.toContain('judged');
    expect(did(judge)).toContain('judged');
    expect(did(coordinator)).not.toContain('generated');
    for (const { child } of [agent, judge]) {
      child.send('leave');
      await once(child, 'exit');
    }
  });

  it('go over to others where their holder is stopped, and what it does afterwards counts no more', async () => {
    const first = start('generate');
    const run = start('coordinate,judge', workspace.pipeline);
    await first.hear(of('generated'));
    first.child.kill('SIGSTOP');
    const second = start('generate');
    await second.hear(of('generated'));
    first.child.kill('SIGCONT');
    await first.hear(
      (message) =>
        'event' in message && message.event.type === 'warning' && message.event.code === 'role-lost',
    );
    const ended = (await run.hear(summary)) as { summary: RunSummary };
    expect(await workspace.manifest(ended.summary.run)).toEqual(alone);
    for (const { child } of [first, second]) {
      child.send('leave');
      await once(child, 'exit');
    }
  });
});
