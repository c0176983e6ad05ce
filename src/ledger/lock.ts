import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LockedError, systemCode } from '../errors.js';
import { storageError } from './failure.js';

/** What the lock file of a state folder says about the process that holds it. */
export interface LockInfo {
  pid: number;
  /** When that process began, in the kernel's clock ticks: tells it from a later one with the same pid. Linux only. */
  started?: string;
  /** Tells this taking of the lock from every other. */
  nonce: string;
  /** Path of the socket on which the owner takes orders. */
  control?: string;
}

export interface Lock {
  /** Tells clients (`readLock`) where the owner's control socket is. */
  setControl(path: string): Promise<void>;
  release(): Promise<void>;
}

/** Takes the state folder, made on first use, for this process alone. LockedError where another has it. */
export async function takeLock(home: string): Promise<Lock> {
  try {
    await mkdir(home, { recursive: true });
    return await take(home, join(home, 'lock'));
  } catch (error) {
    throw error instanceof LockedError ? error : storageError(error, home);
  }
}

/** Who holds the state folder now; undefined where nobody does. */
export async function readLock(home: string): Promise<LockInfo | undefined> {
  const info = await read(join(home, 'lock')).catch((error: unknown) => {
    throw storageError(error, home);
  });
  return info && (await isAlive(info)) ? info : undefined;
}

async function take(home: string, file: string): Promise<Lock> {
  const started = await startOf(process.pid);
  const own: LockInfo = { pid: process.pid, ...(started !== undefined && { started }), nonce: randomUUID() };
  const draft = `${file}.${own.nonce}.new`;
  const write = async (info: LockInfo) => writeFile(draft, JSON.stringify(info));
  await write(own);
  try {
    while (!(await linked(draft, file))) await replaceStale(home, file);
  } finally {
    await unlink(draft).catch(unlessMissing);
  }
  return {
    async setControl(control) {
      await write({ ...own, control });
      await rename(draft, file);
    },
    async release() {
      // Not ours any more where somebody deleted it by hand and another process took the folder.
      if ((await read(file))?.nonce === own.nonce) await unlink(file).catch(unlessMissing);
    },
  };
}

/** Removes the lock of a process that is gone; LockedError where its owner lives. */
async function replaceStale(home: string, file: string): Promise<void> {
  const found = await read(file);
  if (!found) return;
  if (await isAlive(found)) {
    throw new LockedError(
      `${home} is in use by ${found.pid === process.pid ? 'this very process' : `another reroll process (pid ${found.pid})`}. ` +
        'Wait until it is done or stop it; or give this one another folder with REROLL_HOME.',
      found.pid,
    );
  }
  // Between reading and deleting, another process may have taken the folder, and its lock would be deleted.
  // So only the holder of a lock on this very lock, named by its nonce, may delete it.
  const claim = await take(home, `${file}.${found.nonce}`);
  try {
    if ((await read(file))?.nonce === found.nonce) await unlink(file);
  } finally {
    await claim.release();
  }
}

/** Gives the draft the lock's name too, whole and at once; false where there is a lock already. */
async function linked(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function read(file: string): Promise<LockInfo | undefined> {
  const text = await readFile(file, 'utf8').catch(unlessMissing);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as LockInfo;
  } catch {
    // Cut off by a power failure: whoever wrote it is gone. No process has pid 0.
    return { pid: 0, started: 'unknown', nonce: 'unreadable' };
  }
}

async function isAlive({ pid, started }: LockInfo): Promise<boolean> {
  if (started !== undefined) return (await startOf(pid)) === started;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)); undefined where there is no such process, or no /proc. */
async function startOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The second field is the program's name in brackets and may hold anything: fields are counted from its end.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie has been killed already; only its parent has not noticed.
  return fields?.[0] === 'Z' ? undefined : fields?.[19];
}

function unlessMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
}
