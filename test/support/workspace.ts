import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { freshHome } from './home.js';
import { writeTinyModel } from './tiny-model.js';

const cli = resolve('dist/src/cli/main.js');
/** A model that every workspace has: quick to load, and it rejects about half of all drawings, by their colours. */
export const tinyModel = './model';

/** A temporary folder with a pipeline in it, and the built command line to run there. */
export interface Workspace {
  dir: string;
  pipeline: string;
  /** Starts `reroll` in the folder. */
  start(args: string[], env?: NodeJS.ProcessEnv): Started;
  /** Runs `reroll` to its end. */
  reroll(args: string[], env?: NodeJS.ProcessEnv): Promise<Finished>;
  /** The manifest of a run, without what may differ between two equal runs: times and servers. */
  manifest(run: string, out?: string): Promise<unknown[]>;
  remove(): Promise<void>;
}

export interface Started {
  child: ChildProcess;
  /** Resolves when standard error contains the text. */
  saw(text: string | RegExp): Promise<void>;
  finished: Promise<Finished>;
}

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export async function makeWorkspace(pipeline: Record<string, unknown>): Promise<Workspace> {
  const dir = await mkdtemp(join(tmpdir(), 'reroll-e2e-'));
  const file = join(dir, 'pipeline.yaml');
  await freshHome(join(dir, '.reroll'));
  await writeFile(file, stringify(pipeline));
  const [red, green] = [
    [30, -30, 0, 0],
    [-60, 60, 0, 0],
  ];
  await writeTinyModel(join(dir, 'model'), { weights: [red, green, red] });
  const start = (args: string[], env: NodeJS.ProcessEnv = {}) => startCli(dir, args, env);
  return {
    dir,
    pipeline: file,
    start,
    reroll: (args, env) => start(args, env).finished,
    async manifest(run, out = 'out') {
      const text = await readFile(join(dir, out, run, 'manifest.jsonl'), 'utf8');
      return text
        .trimEnd()
        .split('\n')
        .map((line) => withoutTimesAndServers(JSON.parse(line)));
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}

function startCli(cwd: string, args: string[], env: NodeJS.ProcessEnv): Started {
  const child = spawn(process.execPath, [cli, ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const finished = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    stdout,
    stderr,
  }));
  const saw = (wanted: string | RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (typeof wanted === 'string' ? stderr.includes(wanted) : wanted.test(stderr)) resolve();
      };
      child.stderr.on('data', look);
      child.on('close', () => reject(new Error(`it ended before it said ${String(wanted)}:\n${stderr}`)));
      look();
    });
  return { child, saw, finished };
}

const volatile = new Set(['timing', 'backend', 'server', 'serverErrors', 'lastError']);

export function withoutTimesAndServers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTimesAndServers);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !volatile.has(key))
      .map(([key, inner]) => [key, withoutTimesAndServers(inner)]),
  );
}
