import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

/** Debian's redis-server on a free port of the loopback, with its append-only file in a folder of its own. */
export interface RedisServer {
  url: string;
  /** Starts it again after `kill()`, with what its file holds. */
  start(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
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
  let server: ChildProcess | undefined;

  const redis: RedisServer = {
    url: `redis://127.0.0.1:${port}`,
    async start() {
      server = spawn(
        'redis-server',
        [
          ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''],
          ...[
            '--appendonly',
            'yes',
            '--appendfsync',
            'always',
            '--maxmemory-policy',
            'noeviction',
            ...settings,
          ],
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      await saysReady(server);
    },
    async kill() {
      if (!server || server.exitCode !== null || server.signalCode !== null) return;
      const gone = once(server, 'exit');
      server.kill('SIGKILL');
      await gone;
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

function saysReady(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = '';
    server.stdout?.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      if (log.includes('Ready to accept connections')) resolve();
    });
    server.once('error', reject);
    server.once('exit', () => reject(new Error(`redis-server ended at once:\n${log}`)));
  });
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
