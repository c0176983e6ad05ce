import { once } from 'node:events';
import { createRedisBackend, withBackend } from 'bullmq';
import { Redis } from 'ioredis';
import { ConfigError, passwordOf, systemCode, toError } from '../errors.js';
import { backendOptions, type Server, sharedLocks } from './server.js';

/** How long a server may take to answer for the first time. */
const connectMs = 5000;

/** Queues in a Redis server. `warn` hears of settings that lose jobs, and of lost connections. */
export async function redisServer(redisUrl: string, warn: (message: string) => void): Promise<Server> {
  const host = hostOf(redisUrl);
  // Not lazyConnect: a worker's own connection would inherit it, and BullMQ never gets over a lazy first connect that fails.
  const options = {
    connectTimeout: connectMs,
    retryStrategy: (times: number) => Math.min(times * 100, 1000),
  };
  // Whoever adds a job must hear in some seconds that it cannot be; a worker waits until the server is back.
  const callers = new Redis(redisUrl, { ...options, maxRetriesPerRequest: 10, commandTimeout: 15_000 });
  const workers = new Redis(redisUrl, { ...options, maxRetriesPerRequest: null });
  const close = async (): Promise<void> => {
    callers.disconnect();
    workers.disconnect();
  };
  try {
    await Promise.all([ready(callers), ready(workers)]);
  } catch (error) {
    await close();
    throw new ConfigError(
      `Redis at ${host} cannot hold the queue: ${toError(error).message}. ` +
        'Start it (docker compose up -d redis), or correct the Redis URL; leave it out to use the embedded queue.',
      { cause: error },
    );
  }
  const policy = /maxmemory_policy:(\S+)/.exec(await callers.info('memory'))?.[1];
  if (policy !== undefined && policy !== 'noeviction') {
    warn(
      `Redis at ${host} may throw jobs away when its memory is full: set its maxmemory-policy to noeviction, not ${policy}.`,
    );
  }
  watch(callers, host, warn);
  return {
    name: `Redis at ${host}`,
    bull: withBackend((name, given, role) =>
      createRedisBackend(
        name,
        { ...given, connection: role?.withBlockingConnection ? workers : callers },
        role,
      ),
    ),
    locks: sharedLocks,
    few: 1,
    queues: () => queuesIn(callers),
    isConnectionError: isLost,
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

/** Says once that the connection is lost, and once that it is back. */
function watch(redis: Redis, host: string, warn: (message: string) => void): void {
  let lost = false;
  redis.on('reconnecting', () => {
    if (!lost) warn(`Lost the connection to Redis at ${host}; trying again until it is back.`);
    lost = true;
  });
  redis.on('ready', () => {
    if (lost) warn(`Redis at ${host} is back.`);
    lost = false;
  });
}

function isLost(error: Error): boolean {
  return (
    /^E[A-Z]+$/.test(systemCode(error) ?? '') ||
    /Connection is closed|max retries per request|LOADING/.test(error.message)
  );
}
