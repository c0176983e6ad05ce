import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveControl, type Service } from '../../src/runtime/index.js';
import type { ControlSocket } from '../../src/runtime/control-socket.js';
import type { State } from '../../src/runtime/state.js';

let home: string;
let path: string;
let control: ControlSocket;
const clients: Socket[] = [];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'reroll-socket-'));
  const state = { home, setControl: async (at: string) => void (path = at) } as unknown as State;
  const service = {
    runs: async () => [],
    // Nothing ever happens.
    events: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) }),
  } as unknown as Service;
  control = await serveControl(state, service);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await control.close();
  await rm(home, { recursive: true });
});

const open = async (): Promise<Socket> => {
  const socket = connect(path);
  clients.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
};

const answerTo = async (message: string): Promise<string> => {
  const socket = await open();
  socket.write(message);
  let answer = '';
  for await (const part of socket.setEncoding('utf8')) answer += String(part);
  return answer;
};

describe('the control socket', () => {
  it('answers a request, whatever follows it', async () => {
    expect(await answerTo('{"operation":"runs"}\nand more\n'.concat('x'.repeat(100_000)))).toBe(
      '{"result":[]}\n',
    );
  });

  it.each([
    '',
    'nonsense',
    '[]',
    '{"operation":"fly"}',
    '['.repeat(100_000),
    '{"operation":"shots","run":7}',
  ])('refuses what is no request: %.20s', async (line) => {
    expect(await answerTo(`${line}\n`)).toContain('that is no request of this version of reroll');
  });

  it('hangs up on a line without an end, and answers others meanwhile', async () => {
    const socket = await open();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const piece = Buffer.alloc(1024 * 1024, 'x');
    const flood = (): void => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on('drain', flood);
    flood();
    expect(await answerTo('{"operation":"runs"}\n')).toBe('{"result":[]}\n');
    await closed;
  });

  it('sees at once that a client which follows a run has left', async () => {
    const socket = await open();
    socket.write('{"operation":"events","run":"a","after":0}\n');
    while (!control.isWatched('a')) await new Promise(setImmediate);
    socket.destroy();
    while (control.isWatched('a')) await new Promise(setImmediate);
  });
});
