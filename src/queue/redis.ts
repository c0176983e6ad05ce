import { once } from 'node:events';
import { createRedisBackend, withBackend } from 'bullmq';
import { Redis } from 'ioredis';
import { noAnswer, refusalOfRedis } from '../base/refusals.js';
import { Trouble } from '../base/trouble.js';
import { ConfigError, passwordOf, toError } from '../errors.js';
import { backendOptions, type Server, sharedLocks, unhurried } from './server.js';

/** It became a replica, and takes no writes any more. */
const isDemoted = /\b(READONLY|UNBLOCKED)\b/;

/** Who is told READONLY connects anew, but not more often. */
const turnMs = 100;

/** How long a server may take to answer for the first time. */
const connectMs = 5000;

/** Queues in a Redis server. `warn` hears of settings that lose jobs, and where the server is away or refuses. */
export async function redisServer(redisUrl: string, warn: (message: string) => void): Promise<Server> {
  const host = hostOf(redisUrl);
  const trouble = new Trouble(`Redis at ${host}`, warn);
  const refuses = (error: unknown): boolean => {
    const why = refusalOfRedis(error);
    if (why !== undefined) trouble.begin(why);
    return why !== undefined;
  };
  let turnedAt = 0;
  /** Replies come in bundles, and ioredis would end the connection for each of them. */
  const mayTurn = (): boolean => {
    if (Date.now() - turnedAt < turnMs) return false;
    turnedAt = Date.now();
    return true;
  };
  // Not lazyConnect: a worker's own connection would inherit it, and BullMQ never gets over a lazy first connect that fails.
  const options = {
    connectTimeout: connectMs,
    retryStrategy: (times: number) => Math.min(times * 100, 1000),
    // After a fail-over the name, asked again, may lead to the new master; the old one would keep the connection.
    reconnectOnError: (error: Error) => isDemoted.test(error.message) && refuses(error) && mayTurn(),
  };
  // Whoever adds a job must hear in some seconds that it cannot be; a worker waits until the server is back.
  const callers = new Redis(redisUrl, { ...options, maxRetriesPerRequest: 10, commandTimeout: 15_000 });
  const workers = new Redis(redisUrl, { ...options, maxRetriesPerRequest: null });
  const close = async (): Promise<void> => {
    callers.disconnect();
    workers.disconnect();
  };
  let memory: string;
  try {
    await Promise.all([ready(callers), ready(workers)]);
    memory = await callers.info('memory');
  } catch (error) {
    await close();
    throw new ConfigError(
      `Redis at ${host} cannot hold the queue: ${toError(error).message}. ` +
        'Start it (docker compose up -d redis), or correct the Redis URL; leave it out to use the embedded queue.',
      { cause: error },
    );
  }
  const policy = /maxmemory_policy:(\S+)/.exec(memory)?.[1];
  if (policy !== undefined && policy !== 'noeviction') {
    warn(
      `Redis at ${host} may throw jobs away when its memory is full: set its maxmemory-policy to noeviction, not ${policy}.`,
    );
  }
  callers.on('reconnecting', () => trouble.begin(noAnswer));
  callers.on('ready', () => {
    if (trouble.why === noAnswer) trouble.end();
  });
  return {
    name: `Redis at ${host}`,
    bull: withBackend((name, given, role) =>
      unhurried(
        createRedisBackend(
          name,
          { ...given, connection: role?.withBlockingConnection ? workers : callers },
          role,
        ),
      ),
    ),
    locks: sharedLocks,
    few: 1,
    queues: () => queuesIn(callers),
    refuses,
    takes: () => trouble.end(),
    close,
  };
}

async function queuesIn(redis: Redis): Promise<string[]> {
  const names = new Set<string>();
  const { prefix } = backendOptions;
  for await (const keys of redis.scanStream({ match: `${prefix}:*:meta`, count: 1000 }))
    for (const key of keys as string[]) names.add(key.slice(prefix.length + 1, -':meta'.length));
  return [...names];
}

/** The host and port of a Redis URL; its password is a secret from now on. */
function hostOf(redisUrl: string): string {
  const url = URL.canParse(redisUrl) ? new URL(redisUrl) : undefined;
  if (!url || !/^rediss?:$/.test(url.protocol)) {
    throw new ConfigError('The Redis URL is none: write redis://host:6379, or rediss:// for TLS.');
  }
  passwordOf(url);
  return url.host;
}

/** Resolves when the server answers; rejects with the first reason why it does not. */
async function ready(redis: Redis): Promise<void> {
  // An error event that nobody listens to ends the process.
  redis.on('error', () => undefined);
  try {
    await once(redis, 'ready', { signal: AbortSignal.timeout(connectMs) });
  } catch (error) {
    throw toError(error).name === 'AbortError' ? new Error(`no answer in ${connectMs / 1000} s`) : error;
  }
}
