import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { type Daemon, freePort, startDaemon } from './daemon.js';

/** Debian's redis-server on a free port of the loopback, with its append-only file in a folder of its own. */
export interface RedisServer {
  url: string;
  /** Starts it again after `kill()`, with what its file holds. */
  start(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
  /** KEYS *. */
  keys(): Promise<string[]>;
  /** FLUSHALL. */
  flush(): Promise<void>;
  /** Kills it and removes its folder. */
  close(): Promise<void>;
}

/**
 * Whether tests can use Redis here. Without redis-server they are skipped with one plain line;
 * continuous integration must not skip them.
 */
export function redisAvailable(): boolean {
  if (spawnSync('redis-server', ['--version']).status === 0) return true;
  if (process.env['CI'] === 'true')
    throw new Error('redis-server is not installed: apt-get install redis-server');
  console.log('Skipping the tests on Redis: redis-server is not installed.');
  return false;
}

/** `settings` are further arguments, such as `--maxmemory-policy allkeys-lru`. */
export async function startRedis(settings: string[] = []): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'reroll-redis-'));
  const port = await freePort();
  const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
  const durable = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'];
  const args = [...place, ...durable, '--maxmemory-policy', 'noeviction', ...settings];
  let server: Daemon | undefined;

  const redis: RedisServer = {
    url: `redis://127.0.0.1:${port}`,
    async start() {
      server = await startDaemon('redis-server', args, 'Ready to accept connections');
    },
    async kill() {
      await server?.kill();
    },
    async keys() {
      const admin = new Redis(redis.url);
      const keys = await admin.keys('*');
      admin.disconnect();
      return keys;
    },
    async flush() {
      const admin = new Redis(redis.url);
      await admin.flushall();
      admin.disconnect();
    },
    async close() {
      await redis.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await redis.start();
  return redis;
}
