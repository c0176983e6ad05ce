import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { tmpdir, userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { listenFor } from '../../src/runtime/socket-path.js';

let folder: string;
const servers: Server[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sp-'));
  vi.stubEnv('XDG_RUNTIME_DIR', '');
  vi.stubEnv('TMPDIR', folder);
});
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((closed) => server.close(closed));
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

async function listenIn(home: string): Promise<string> {
  const server = createServer((socket) => socket.end());
  await mkdir(home, { recursive: true });
  const path = await listenFor(home, server);
  servers.push(server);
  const client = connect(path);
  await once(client, 'connect');
  client.destroy();
  expect((await stat(path)).mode & 0o077).toBe(0);
  return path;
}

const tooLong = () => join(folder, 'x'.repeat(60), 'y'.repeat(60));

test('the socket is in the state folder, in place of what a dead process left', async () => {
  const home = join(folder, 'home');
  await mkdir(home);
  await writeFile(join(home, 'control.sock'), 'left');
  expect(await listenIn(home)).toBe(join(home, 'control.sock'));
});

test('it is in a folder of the user’s own where the path would be too long', async () => {
  const path = await listenIn(tooLong());
  expect(dirname(path)).toBe(join(folder, `reroll-${userInfo().uid}`));
  expect((await stat(dirname(path))).mode & 0o777).toBe(0o700);
});

test('what killed processes left there goes, and what lives stays', async () => {
  const living = await listenIn(tooLong());
  const child = spawn(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(join(dirname(living), 'dead.sock'))}, () => console.log('up'))`,
  ]);
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'close');
  expect(await readdir(dirname(living))).toContain('dead.sock');
  const other = await listenIn(`${tooLong()}-other`);
  expect((await readdir(dirname(living))).sort()).toEqual([basename(living), basename(other)].sort());
});

test('that folder is the one that the system gives each user, where there is one', async () => {
  const runtime = join(folder, 'run');
  await mkdir(runtime);
  vi.stubEnv('XDG_RUNTIME_DIR', runtime);
  expect(dirname(await listenIn(tooLong()))).toBe(join(runtime, 'reroll'));
});

test.each(['file', 'link', 'open folder'])(
  'a %s of somebody else in its place is left alone',
  async (kind) => {
    const taken = join(folder, `reroll-${userInfo().uid}`);
    const elsewhere = join(folder, 'elsewhere');
    await mkdir(elsewhere, { mode: 0o700 });
    if (kind === 'file') await writeFile(taken, 'theirs');
    else if (kind === 'link') await symlink(elsewhere, taken);
    else await mkdir(taken).then(() => chmod(taken, 0o777));
    const path = await listenIn(tooLong());
    expect(dirname(path)).not.toBe(taken);
    expect((await stat(dirname(path))).mode & 0o777).toBe(0o700);
  },
);
