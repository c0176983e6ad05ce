import { createHash } from 'node:crypto';
import { chmod, rm } from 'node:fs/promises';
import { createServer, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ConfigError, RerollError, toError } from '../errors.js';
import type { Control } from './control.js';
import type { State } from './state.js';

const operations = ['runs', 'status', 'pause', 'unpause', 'cancel'] as const;
type Operation = (typeof operations)[number];

/** One line of JSON there, one line back; then the connection ends. */
interface Question {
  operation: Operation;
  run?: string;
}
type Answer = { result: unknown } | { error: string };

const answerTimeoutMs = 30_000;

/** The socket of a state folder: a local one that only this user can open. */
function socketPath(home: string): string {
  const name = `reroll-${createHash('sha256').update(home).digest('hex').slice(0, 16)}`;
  // A path below `home` may be longer than the 104 bytes that a Unix socket takes.
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
}

/** Lets other processes of this user ask the one that holds the state folder. Returns the function that stops. */
export async function serveControl(state: State, control: Control): Promise<() => Promise<void>> {
  const path = socketPath(state.home);
  const server = createServer((socket) => void answer(socket, control));
  // The state folder's lock is ours: a socket that is still there belongs to a dead process.
  if (process.platform !== 'win32') await rm(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(path, resolve);
  });
  if (process.platform !== 'win32') await chmod(path, 0o600);
  await state.setControl(path);
  return () => new Promise((resolve) => server.close(() => resolve()));
}

async function answer(socket: Socket, control: Control): Promise<void> {
  socket.on('error', () => socket.destroy());
  socket.setTimeout(answerTimeoutMs, () => socket.destroy());
  for await (const line of createInterface({ input: socket })) {
    const reply = await perform(line, control);
    socket.end(JSON.stringify(reply) + '\n');
    return;
  }
}

async function perform(line: string, control: Control): Promise<Answer> {
  try {
    const { operation, run } = JSON.parse(line) as Question;
    if (!operations.includes(operation)) throw new ConfigError('unknown operation');
    return { result: operation === 'runs' ? await control.runs() : await control[operation](run as string) };
  } catch (error) {
    return { error: toError(error).message };
  }
}

/** Control through the socket of the process that holds the state folder. */
export function connectControl(path: string): Control {
  const ask = async <T>(operation: Operation, run?: string): Promise<T> => {
    const reply = await exchange(path, { operation, ...(run !== undefined && { run }) });
    if ('error' in reply) throw new ConfigError(reply.error);
    return reply.result as T;
  };
  return {
    runs: () => ask('runs'),
    status: (run) => ask('status', run),
    pause: (run) => ask('pause', run),
    unpause: (run) => ask('unpause', run),
    cancel: (run) => ask('cancel', run),
  };
}

async function exchange(path: string, question: Question): Promise<Answer> {
  const socket = connect(path);
  socket.setTimeout(answerTimeoutMs, () => socket.destroy(new Error('timed out')));
  try {
    socket.write(JSON.stringify(question) + '\n');
    for await (const line of createInterface({ input: socket })) return JSON.parse(line) as Answer;
    throw new Error('it hung up');
  } catch (error) {
    throw new RerollError(
      `the process that holds the state folder does not answer: ${toError(error).message}`,
      {
        cause: error,
      },
    );
  } finally {
    socket.destroy();
  }
}
