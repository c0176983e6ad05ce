import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { inWords } from '../base/storage.js';
import { ConfigError, toError } from '../errors.js';
import { parseJson, readLines } from '../net/index.js';
import { request, type Reply, type Request } from './requests.js';
import type { Service } from './service.js';
import { listenFor } from './socket-path.js';
import type { State } from './state.js';

/** How long answers that are under way may take when this process leaves. */
const patienceMs = 2_000;
/** How long a client may take to say what it wants, and how much that may be: a pipeline with all its prompts. */
const bounds = { maxBytes: 16 * 1024 * 1024, idleMs: 30_000 };

/** The socket through which other processes of this user ask the one that holds the state folder. */
export interface ControlSocket {
  /** Whether somebody follows the run's events: they go on with it where this process leaves it. */
  isWatched(run: string): boolean;
  close(): Promise<void>;
}

export async function serveControl(state: State, service: Service): Promise<ControlSocket> {
  const watched = new Map<Socket, string>();
  const answers = new Map<Socket, Promise<void>>();
  const server = createServer((socket) => {
    const answered = answer(socket, service, (run) => watched.set(socket, run));
    answers.set(socket, answered);
    socket.on('close', () => answers.delete(socket) && watched.delete(socket));
  });
  await state.setControl(await listenFor(state.home, server));
  return {
    isWatched: (run) => [...watched.values()].includes(run),
    async close() {
      const closed = once(server, 'close');
      server.close();
      // What was asked is answered: whoever cancels the last run hears that it is.
      await Promise.race([Promise.all(answers.values()), delay(patienceMs, undefined, { ref: false })]);
      for (const socket of answers.keys()) socket.end();
      await closed;
    },
  };
}

async function answer(socket: Socket, service: Service, onWatch: (run: string) => void): Promise<void> {
  const gone = new AbortController();
  socket.on('error', () => socket.destroy()).on('close', () => gone.abort());
  try {
    const line = await firstLine(socket);
    // Whatever else it says is dropped: read on, so that it is seen when the client leaves.
    socket.resume();
    if (line === undefined) return void socket.end();
    for await (const reply of perform(line, service, onWatch)) {
      if (!socket.write(JSON.stringify(reply) + '\n')) await once(socket, 'drain', { signal: gone.signal });
    }
    socket.end();
  } catch {
    // The client left in the middle, or sends what never ends.
    socket.destroy();
  }
}

async function firstLine(socket: Socket): Promise<string | undefined> {
  for await (const line of readLines(socket, bounds)) return line;
  return undefined;
}

async function* perform(
  line: string,
  service: Service,
  onWatch: (run: string) => void,
): AsyncGenerator<Reply> {
  try {
    const asked = parse(line);
    if (asked.operation === 'events') {
      onWatch(asked.run);
      for await (const record of service.events(asked.run, asked.after)) yield { record };
      yield { result: null };
    } else yield { result: (await ask(service, asked)) ?? null };
  } catch (error) {
    const { name, message } = toError(inWords(error));
    yield { error: { name, message } };
  }
}

function parse(line: string): Request {
  try {
    return request.parse(parseJson(line));
  } catch {
    throw new ConfigError('that is no request of this version of reroll.');
  }
}

function ask(service: Service, asked: Exclude<Request, { operation: 'events' }>): Promise<unknown> {
  switch (asked.operation) {
    case 'submit':
      return service.submit(asked);
    case 'resume':
      return service.resume({ ...(asked.run !== undefined && { run: asked.run }), env: asked.env });
    case 'retry': {
      const { run, shots, attempts, ...kinds } = asked;
      return service.retry({
        ...kinds,
        ...(run !== undefined && { run }),
        ...(shots && { shots }),
        ...(attempts !== undefined && { attempts }),
      });
    }
    case 'runs':
      return service.runs();
    case 'servers':
      return service.servers();
    case 'status':
    case 'pause':
    case 'unpause':
    case 'cancel':
    case 'report':
      return service[asked.operation](asked.run);
    case 'past':
      return service.past(asked.file);
    case 'missing':
      return service.missing(asked.run);
    case 'summary':
      return service.summary(asked.run);
    case 'shots':
      return service.shots(asked.run, asked);
    case 'attempt':
      return service.attempt(asked);
    case 'history':
      return service.history(asked.run, asked);
  }
}
