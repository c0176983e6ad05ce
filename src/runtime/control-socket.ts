import { createServer, connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { ConfigError, RerollError, toError } from '../errors.js';
import type { Control } from './control.js';
import { listenFor } from './socket-path.js';
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

/** Lets other processes of this user ask the one that holds the state folder. Returns the function that stops. */
export async function serveControl(state: State, control: Control): Promise<() => Promise<void>> {
  const server = createServer((socket) => void answer(socket, control));
  await state.setControl(await listenFor(state.home, server));
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
