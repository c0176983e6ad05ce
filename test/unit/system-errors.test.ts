import { spawn } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtemp, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { inWords } from '../../src/base/storage.js';
import { tellFailure } from '../../src/cli/exit.js';
import { ConfigError, StorageError } from '../../src/errors.js';

let folder: string;
let server: Server;
let port: number;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reroll-errors-'));
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
  await writeFile(join(folder, 'file'), '');
  await symlink('round', join(folder, 'round'));
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

const thrown = async (work: () => unknown): Promise<unknown> => {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
};

const ways: [string, () => unknown, RegExp][] = [
  [
    'a port in use',
    () => once(createServer().listen(port, '127.0.0.1'), 'listening'),
    /listen on 127\.0\.0\.1:\d+: something listens/,
  ],
  [
    'nothing that listens',
    () => once(connect(1, '127.0.0.1'), 'connect'),
    /connect to 127\.0\.0\.1:1: nothing/,
  ],
  ['no such host', () => lookup('nobody.invalid'), /find nobody\.invalid: (no such host|the name cannot)/],
  ['no such file', () => readFile(join(folder, 'none')), /open .*none: there is no such file/],
  ['a folder in place of a file', () => readFile(folder), /: this is a folder/],
  ['a file in place of a folder', () => readdir(join(folder, 'file')), /list .*file: a part of this path/],
  ['a part that is a file', () => mkdir(join(folder, 'file/in')), /mkdir .*: a part of this path is a file/],
  ['a link to itself', () => readFile(join(folder, 'round')), /round: its symbolic links/],
  ['a name that is too long', () => rename(folder, 'x'.repeat(300)), /rename .*: the name is too long/],
  [
    'a program that is not there',
    () => once(spawn('no-such-program'), 'spawn'),
    /spawn no-such-program: there/,
  ],
];

it.each(ways)('%s is told in words', async (_, work, words) => {
  const error = await thrown(work);
  for (const one of [error, new Error('wrapped', { cause: new Error('twice', { cause: error }) })]) {
    const told = inWords(one) as Error;
    expect(told).toBeInstanceOf(StorageError);
    expect(told.message).toMatch(words);
  }
});

it('no error that the system knows is called a bug', () => {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  for (const [code, words] of getSystemErrorMap().values()) {
    expect(tellFailure(Object.assign(new Error(code), { code }))).toBe(2);
    const told = String(write.mock.lastCall?.[0]);
    expect(told, words).toMatch(/^reroll: cannot go on here: .{5,}\.\n$/);
    expect(told).not.toContain('bug');
  }
  write.mockRestore();
});

it('a bug stays a bug, and what is in words stays as it is', () => {
  for (const error of [
    new TypeError('undefined is no function'),
    Object.assign(new Error('bad argument'), { code: 'ERR_INVALID_ARG_TYPE' }),
    new ConfigError('write it so'),
    'a text',
  ])
    expect(inWords(error)).toBe(error);
  const round: Error & { cause?: unknown } = new Error('round');
  round.cause = round;
  expect(inWords(round)).toBe(round);
});
