import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Daemon, freePort, startDaemon } from './daemon.js';

/** A PostgreSQL server on a free port of the loopback, with an empty database in a folder of its own. */
export interface PostgresServer {
  url: string;
  /** Starts it again after `kill()`, with what its files hold. */
  start(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
  /** Ends it as `pg_ctl stop` does: what is under way is broken off. */
  stop(): Promise<void>;
  /** Kills it and removes its folder. */
  close(): Promise<void>;
}

/** Debian keeps the programs out of the PATH, in a folder for each version. */
const debian = '/usr/lib/postgresql';

/**
 * Where PostgreSQL's programs are; undefined where it is not installed. Its tests are skipped then with one plain line;
 * continuous integration must not skip them.
 */
export function findPostgres(): string | undefined {
  if (spawnSync('initdb', ['--version']).status === 0) return '';
  const [newest] = listed(debian).sort((a, b) => Number(b) - Number(a));
  if (newest !== undefined) return join(debian, newest, 'bin/');
  if (process.env['CI'] === 'true')
    throw new Error('PostgreSQL is not installed: apt-get install postgresql');
  console.log('Skipping the tests on PostgreSQL: it is not installed.');
  return undefined;
}

/** `programs`: what `findPostgres` found; `settings`: further arguments, such as `-c max_connections=40`. */
export async function startPostgres(programs: string, settings: string[] = []): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), 'reroll-postgres-'));
  // PostgreSQL refuses to run as root.
  const owner = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  if (owner.uid !== undefined) await chown(folder, owner.uid, owner.gid);
  const options = { cwd: folder, ...owner };
  execFileSync(`${programs}initdb`, ['-D', folder, '-U', 'reroll', '-A', 'trust', '--no-sync'], options);
  const port = await freePort();
  const args = [
    '-D',
    folder,
    '-p',
    String(port),
    '-h',
    '127.0.0.1',
    '-k',
    folder,
    '-c',
    'fsync=off',
    ...settings,
  ];
  let server: Daemon | undefined;

  const postgres: PostgresServer = {
    url: `postgres://reroll@127.0.0.1:${port}/postgres`,
    async start() {
      server = await startDaemon(`${programs}postgres`, args, 'ready to accept connections', options);
    },
    async kill() {
      await server?.kill();
    },
    async stop() {
      await server?.kill('SIGINT');
    },
    async close() {
      await postgres.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await postgres.start();
  return postgres;
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
