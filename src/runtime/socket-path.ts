import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, mkdtemp, readdir, rm, rmdir } from 'node:fs/promises';
import { once } from 'node:events';
import { connect, type Server } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { systemCode } from '../errors.js';

/** What a Unix socket's path may take, in bytes: macOS has the shortest, 104 with the closing zero. */
const maxBytes = 103;

/**
 * Lets `server` listen on the socket of a state folder, which this process holds, and answers where. In the folder
 * itself, so that whoever sees the folder finds it, through another mount or in another container as well. In a folder
 * of the user's own where the path is too long, or where that file system has no sockets (some that a virtual machine
 * shares with its host).
 */
export async function listenFor(home: string, server: Server): Promise<string> {
  const name = createHash('sha256').update(home).digest('hex').slice(0, 16);
  if (process.platform === 'win32') return listen(server, `\\\\.\\pipe\\reroll-${name}`);
  const beside = join(home, 'control.sock');
  if (Buffer.byteLength(beside) <= maxBytes) {
    try {
      return await listenPrivately(server, beside);
    } catch {
      // No sockets there. Any other reason shows itself below.
    }
  }
  return listenPrivately(server, join(await userFolder(), `${name}.sock`));
}

/** The state folder is this process's: a socket that is still there belongs to a dead one. */
async function listenPrivately(server: Server, path: string): Promise<string> {
  await rm(path, { force: true });
  await listen(server, path);
  await chmod(path, 0o600);
  return path;
}

async function listen(server: Server, path: string): Promise<string> {
  // Rejects where an error comes first.
  const listening = once(server, 'listening');
  server.listen(path);
  await listening;
  return path;
}

/**
 * A folder that only this user can enter: where the system gives each user one, there; else one in the folder for
 * temporary files, where anybody may have made one of that name before us.
 */
async function userFolder(): Promise<string> {
  const { uid } = userInfo();
  const runtime = process.env['XDG_RUNTIME_DIR'];
  const wanted = runtime ? join(runtime, 'reroll') : join(tmpdir(), `reroll-${uid}`);
  await mkdir(wanted, { mode: 0o700 }).catch(() => undefined);
  const found = await lstat(wanted).catch(() => undefined);
  const isOurs = found?.isDirectory() === true && found.uid === uid && (found.mode & 0o077) === 0;
  const ours = isOurs ? [wanted] : await madeBefore(uid);
  for (const folder of ours) await sweepDead(folder);
  return isOurs ? wanted : mkdtemp(join(tmpdir(), 'reroll-'));
}

/** The folders that were made in place of one that is somebody else's. */
async function madeBefore(uid: number): Promise<string[]> {
  const names = await readdir(tmpdir()).catch(() => []);
  const folders = names.filter((name) => /^reroll-\w{6}$/.test(name)).map((name) => join(tmpdir(), name));
  const entries = await Promise.all(folders.map((folder) => lstat(folder).catch(() => undefined)));
  return folders.filter((_, place) => entries[place]?.isDirectory() === true && entries[place].uid === uid);
}

/** Sockets of processes that were killed go, and their folder where it was made for one. */
async function sweepDead(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (!name.endsWith('.sock') || !(await isDead(path))) continue;
    await rm(path, { force: true });
    // Never one that a process has just made for its own.
    await rmdir(folder).catch(() => undefined);
  }
}

function isDead(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const answer = (isDead: boolean) => {
      socket.destroy();
      resolve(isDead);
    };
    socket.on('connect', () => answer(false));
    socket.on('error', (error) => answer(systemCode(error) === 'ECONNREFUSED'));
  });
}
