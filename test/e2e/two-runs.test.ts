import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { startSketchServer, type SketchServer } from '../../sketch/index.js';
import { sharingPipeline, slots } from '../support/two-runs.js';
import { makeWorkspace, type Workspace } from '../support/workspace.js';

/** Two servers that both runs name. */
let servers: SketchServer[];
let workspace: Workspace;
/** What each run makes when nobody else is there. */
let alone: { [name: string]: unknown[] };

const shots = 40;
const pipeline = (name: string, seed: number) => sharingPipeline(name, seed, shots, servers);

const start = (latencyMs: number) =>
  Promise.all([1, 2].map(() => startSketchServer({ latencyMs, badRate: 0.5 })));
const stop = () => Promise.all(servers.map((server) => server.close()));

beforeAll(async () => {
  servers = await start(1);
  workspace = await makeWorkspace(pipeline('a', 1));
  await writeFile(join(workspace.dir, 'b.yaml'), stringify(pipeline('b', 2)));
  const home = (name: string) => ({ REROLL_HOME: join(workspace.dir, `alone-${name}`) });
  alone = {};
  for (const [name, file] of [
    ['a', 'pipeline.yaml'],
    ['b', 'b.yaml'],
  ] as const) {
    const args = ['run', file, '--json', '--set', 'output.dir=alone'];
    const { code, stderr } = await workspace.reroll(args, home(name));
    expect(code, stderr).toBeLessThanOrEqual(1);
    alone[name] = await workspace.manifest(`${name}-1`, 'alone');
    expect(alone[name]).toHaveLength(shots);
  }
  await stop();
  servers = await start(40);
  await writeFile(join(workspace.dir, 'pipeline.yaml'), stringify(pipeline('a', 1)));
  await writeFile(join(workspace.dir, 'b.yaml'), stringify(pipeline('b', 2)));
});

afterAll(async () => {
  await stop();
  await workspace.remove();
});

/** A state folder of its own for each test, beside the same pipelines. */
const fresh = (name: string) => ({ REROLL_HOME: join(workspace.dir, name), out: `out-${name}` });
const args = (file: string, out: string) => ['run', file, '--json', '--set', `output.dir=${out}`];

describe('a second run in a folder that a process holds', () => {
  it('is taken on by that process: both end as if they were alone, and share the servers’ slots', async () => {
    const { out, ...env } = fresh('shared');
    const first = workspace.start(args('pipeline.yaml', out), env);
    await first.saw(/shot \d+ accepted/);
    const second = workspace.start(args('b.yaml', out), env);
    await second.saw(/b-1 is worked on by the process that holds the folder/);
    await second.saw(/shot \d+ accepted/);
    // Both go on side by side: the first is not over yet.
    expect(first.child.exitCode).toBeNull();
    const finished = await Promise.all([first.finished, second.finished]);
    for (const { code, stderr } of finished) expect(code, stderr).toBeLessThanOrEqual(1);
    expect(JSON.parse(finished[1].stdout)).toMatchObject({ run: 'b-1', state: 'completed', shots });
    expect(await workspace.manifest('a-1', out)).toEqual(alone.a);
    expect(await workspace.manifest('b-1', out)).toEqual(alone.b);
    for (const server of servers) expect(server.stats().maxHeld).toBeLessThanOrEqual(slots);
  });

  it('goes on by itself where that process is killed', async () => {
    const { out, ...env } = fresh('killed');
    const first = workspace.start(args('pipeline.yaml', out), env);
    await first.saw(/shot \d+ accepted/);
    const second = workspace.start(args('b.yaml', out), env);
    await second.saw(/shot \d+ accepted/);
    first.child.kill('SIGKILL');
    await first.finished;
    const { code, stderr } = await second.finished;
    expect(code, stderr).toBeLessThanOrEqual(1);
    expect(await workspace.manifest('b-1', out)).toEqual(alone.b);
    const resumed = await workspace.reroll(['resume', 'a-1', '--json'], env);
    expect(resumed.code, resumed.stderr).toBeLessThanOrEqual(1);
    expect(await workspace.manifest('a-1', out)).toEqual(alone.a);
  });

  it('goes on without its terminal, which Ctrl-C detaches', async () => {
    const { out, ...env } = fresh('detached');
    const first = workspace.start(args('pipeline.yaml', out), env);
    await first.saw(/shot \d+ accepted/);
    const second = workspace.start(args('b.yaml', out), env);
    await second.saw(/shot \d+ accepted/);
    second.child.kill('SIGINT');
    const left = await second.finished;
    expect(left.code, left.stderr).toBe(130);
    expect(left.stderr).toContain('b-1 goes on');
    const { code, stderr } = await first.finished;
    expect(code, stderr).toBeLessThanOrEqual(1);
    expect(await workspace.manifest('a-1', out)).toEqual(alone.a);
    expect(await workspace.manifest('b-1', out)).toEqual(alone.b);
  });

  it('is refused where its pipeline cannot run, and the first one goes on', async () => {
    const { out, ...env } = fresh('refused');
    const first = workspace.start(args('pipeline.yaml', out), env);
    await first.saw(/shot \d+ accepted/);
    const gone = '--set=backends.0.url=http://127.0.0.1:1';
    const other = '--set=backends.1.url=http://127.0.0.1:1';
    const second = await workspace.reroll([...args('b.yaml', out), gone, other], env);
    expect(second.code).toBe(2);
    expect(second.stderr).toContain('no backend can be used');
    const { code } = await first.finished;
    expect(code).toBeLessThanOrEqual(1);
    expect(await workspace.manifest('a-1', out)).toEqual(alone.a);
  });
});
