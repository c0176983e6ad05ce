import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RemoteService } from '../../src/runtime/index.js';

let dir: string;
let path: string;
let holder: ChildProcess;

/** Answers every request with the number 7. */
const program = `
  require('node:net')
    .createServer((socket) => socket.on('data', () => socket.end('{"result":7}\\n')).on('error', () => {}))
    .listen(process.argv[1], () => console.log('ready'));`;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reroll-suspended-'));
  path = join(dir, 'socket');
  holder = spawn(process.execPath, ['-e', program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout!, 'data');
});

afterEach(async () => {
  holder.kill('SIGKILL');
  await once(holder, 'close');
  await rm(dir, { recursive: true });
});

it.skipIf(process.platform === 'win32')(
  'a holder that is suspended is told of within 2 s, and asked again once it goes on',
  async () => {
    const service = new RemoteService(path, { pid: holder.pid! });
    expect(await service.status()).toBe(7);
    holder.kill('SIGSTOP');
    const startedAt = performance.now();
    await expect(service.status('portraits-3')).rejects.toThrow(
      `(pid ${holder.pid}) is suspended and answers nobody. \`fg\` in its terminal, or \`kill -CONT ${holder.pid}\``,
    );
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    holder.kill('SIGCONT');
    expect(await service.status()).toBe(7);
  },
);

it('one on another machine that is silent is said to be so, and waited for', async () => {
  holder.kill('SIGSTOP');
  const told: string[] = [];
  const onSilent = (words: string) => {
    told.push(words);
    holder.kill('SIGCONT');
  };
  expect(await new RemoteService(path, { onSilent }).status()).toBe(7);
  expect(told).toEqual([expect.stringContaining('does not answer yet')]);
});
