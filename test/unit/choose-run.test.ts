import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { chooseRun } from '../../src/cli/choose-run.js';
import type { RunStatus } from '../../src/runtime/index.js';

const status = (some: Partial<RunStatus>) =>
  ({
    run: 'a-1',
    state: 'interrupted',
    file: '/p/a.yaml',
    shots: 9,
    accepted: 4,
    exhausted: 1,
    failed: 1,
    cancelled: 0,
    ...some,
  }) as RunStatus;
const service = (...runs: RunStatus[]) => ({ runs: async () => runs });
const { signal } = new AbortController();

let told = '';
const terminal = new PassThrough();
const had = { stdin: process.stdin, isTTY: process.stderr.isTTY };
const replace = (stdin: object, isTTY: boolean) => {
  Object.defineProperty(process, 'stdin', { value: Object.assign(stdin, { isTTY }), configurable: true });
  process.stderr.isTTY = isTTY;
};

beforeEach(() => {
  told = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    told += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  Object.defineProperty(process, 'stdin', { value: had.stdin, configurable: true });
  process.stderr.isTTY = had.isTTY;
});

const choose = (runs: RunStatus[], isAsking = true) =>
  chooseRun(service(...runs), '/p/a.yaml', { isAsking, signal });

it('says nothing where no run of the file is interrupted', async () => {
  expect(await choose([status({ state: 'completed' }), status({ file: '/p/b.yaml' })])).toBeUndefined();
  expect(told).toBe('');
});

it('says without a terminal how to go on, and that this is a new run', async () => {
  replace(new PassThrough(), false);
  expect(await choose([status({ state: 'running' }), status({ run: 'a-2' }), status({})])).toBeUndefined();
  expect(told).toBe(
    'a-2 of this file is interrupted, with 3 of 9 shots open. `reroll resume a-2` goes on with it; this is a new run.\n',
  );
});

it.each([
  ['\n', 'a-1'],
  ['yes\n', 'a-1'],
  [' Y \n', 'a-1'],
  ['no\n', undefined],
  ['what\n', undefined],
])('asks a terminal: %j', async (answer, run) => {
  const input = new PassThrough();
  replace(input, true);
  const chosen = choose([status({})]);
  input.write(answer);
  expect(await chosen).toBe(run);
  expect(told).toContain('Go on with it?');
});

it('starts nothing where nobody answers', async () => {
  const input = new PassThrough();
  replace(input, true);
  const chosen = choose([status({})]);
  input.end();
  await expect(chosen).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
});

it('asks nobody who reads JSON', async () => {
  replace(terminal, true);
  expect(await choose([status({})], false)).toBeUndefined();
});
