import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSketchServer, type SketchServer } from '../../sketch/index.js';
import { makeWorkspace, tinyModel, type Workspace } from '../support/workspace.js';

/** What another container on the same volume sees: processes of its own, and the folder at another path. */
const otherProcesses = ['-pf', '--mount-proc'];
const otherMount = ['-m'];

const allowed = spawnSync('unshare', ['-pfm', '--mount-proc', 'true']).status === 0;
if (!allowed) console.log('Skipping the looks from other namespaces: they may not be made here.');

const cli = resolve('dist/src/cli/main.js');
let server: SketchServer;
const start = (port: number) => startSketchServer({ port, latencyMs: 100, badRate: 0.3 });
beforeAll(async () => {
  server = await start(0);
});
afterAll(() => server.close());

const pipeline = () => ({
  name: 'seen',
  seed: 5,
  backends: [{ name: 'gpu', kind: 'a1111', url: server.url, slots: 2 }],
  generate: { width: 256, height: 256, steps: 8 },
  prompts: [{ text: 'a hand', count: 40 }],
  gate: { model: tinyModel },
  retry: { attempts: 3, ladder: ['new_seed'] },
  output: { dir: 'out' },
});

/** `until`: Ctrl-C as soon as it says so. */
async function look({ dir }: Workspace, namespaces: string[], args: string[], until?: string) {
  const there = join(dir, 'mounted');
  await mkdir(there, { recursive: true });
  // The folder is there under its own name and under another, and only the other is looked at.
  const script =
    namespaces === otherMount
      ? 'mount --bind "$0" "$1" && cd "$1" && shift && exec "$@"'
      : 'cd "$0" && shift && exec "$@"';
  const child = spawn(
    'unshare',
    [...namespaces, 'sh', '-c', script, dir, there, process.execPath, cli, ...args],
    {
      env: { ...process.env, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own: the signal is for all of it.
      detached: true,
    },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    const before = said;
    said += chunk.toString();
    if (until === undefined || !said.includes(until) || before.includes(until)) return;
    process.kill(-(child.pid ?? 0), 'SIGINT');
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (child.exitCode === null) await once(child, 'exit');
  return { code: child.exitCode, stdout, stderr };
}

test.runIf(allowed)(
  'twenty looks from other namespaces take nothing from a run, and are told the truth',
  async () => {
    const workspace = await makeWorkspace(pipeline());
    const started = workspace.start(['run', 'pipeline.yaml', '--json']);
    await started.saw(/shot \d+ accepted/);
    // The run waits for its server, however long the looks take.
    await server.close();
    for (let round = 0; round < 10; round++) {
      for (const namespaces of [otherProcesses, otherMount]) {
        const command = ['status', 'runs', 'resume'][round % 3] ?? '';
        const until = command === 'resume' ? 'is worked on by the process that holds the folder' : undefined;
        const { code, stdout, stderr } = await look(workspace, namespaces, [command], until);
        if (command === 'resume') {
          expect(stderr).toContain('Left the view. seen-1 goes on');
          expect(code, stderr).toBe(130);
        } else {
          expect(stdout, stderr).toMatch(/seen-1 +running/);
          expect(code).toBe(0);
        }
      }
    }
    server = await start(Number(new URL(server.url).port));
    const finished = await started.finished;
    expect(finished.code, finished.stderr).toBeLessThanOrEqual(1);
    expect(await workspace.manifest('seen-1')).toHaveLength(40);
    const { stdout } = await look(workspace, otherMount, ['runs', '--json']);
    expect(JSON.parse(stdout)).toMatchObject([{ run: 'seen-1', state: 'completed', shots: 40 }]);
    await workspace.remove();
  },
);

test.runIf(allowed)(
  'a run that was killed is free for another container, and interrupted in its eyes',
  async () => {
    const workspace = await makeWorkspace(pipeline());
    const started = workspace.start(['run', 'pipeline.yaml', '--json']);
    await started.saw(/shot \d+ accepted/);
    started.child.kill('SIGKILL');
    await started.finished;
    const { stdout, stderr } = await look(workspace, otherProcesses, ['status', 'seen-1']);
    expect(stdout, stderr).toContain('seen-1  interrupted');
    await workspace.remove();
  },
);
