import { randomUUID } from 'node:crypto';
import { closeSync } from 'node:fs';
import { access, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LockedError, systemCode } from '../errors.js';
import { makeFolder } from '../base/atomic.js';
import { storageError } from '../base/storage.js';
import { bootId, reachesAllHosts, tryLock } from './os-lock.js';

/**
 * What the process that holds a state folder says of itself in `owner.json`. Words for people, and where to ask: whether
 * it lives is the operating system's to say, by the lock on the file `lock`.
 */
export interface LockInfo {
  pid: number;
  host: string;
  /** Of its kernel. Linux only. */
  boot?: string;
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

/** An owner that says nowhere to ask is only starting, or looks at the folder for a moment and gives it back. */
const startingMs = 10_000;
/** Whoever only asks who holds the folder has a lock on it for some milliseconds. */
const askingMs = 500;
const pauseMs = 50;

/** The locks of this process. */
const held = new Set<string>();

/** Takes the state folder, made on first use, for this process alone. LockedError where another has it, or may have it. */
export async function takeLock(home: string): Promise<Lock> {
  try {
    await makeFolder(home, true);
    const fd = await lockPatiently(home);
    try {
      await refuseUnknown(home);
      return await own(home, fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  } catch (error) {
    throw storageError('use the state folder (REROLL_HOME)', home, error);
  }
}

/** Who holds the state folder now, or may hold it; undefined where nobody does. Changes nothing. */
export async function readLock(home: string): Promise<LockInfo | undefined> {
  try {
    const words = await read(home);
    if (!words || held.has(words.nonce)) return words;
    await access(lockFile(home));
    const fd = await tryLock(lockFile(home), 'shared');
    if (fd === undefined) return words;
    closeSync(fd);
    return (await mayLive(home, words)) ? words : undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw storageError('use the state folder (REROLL_HOME)', home, error);
  }
}

const lockFile = (home: string): string => join(home, 'lock');
const wordsFile = (home: string): string => join(home, 'owner.json');

async function lockPatiently(home: string): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const fd = await tryLock(lockFile(home), 'exclusive');
    if (fd !== undefined) return fd;
    const words = await read(home);
    const waited = performance.now() - startedAt;
    if (words && held.has(words.nonce)) throw inUse(home, words);
    if (waited > (words?.control === undefined ? startingMs : askingMs)) throw inUse(home, words);
    await delay(pauseMs);
  }
}

function inUse(home: string, words: LockInfo | undefined): LockedError {
  const who = words && held.has(words.nonce) ? 'this very process' : `another reroll process${at(words)}`;
  return new LockedError(
    `${home} is in use by ${who}. Wait until it is done or stop it; or give this one another folder with REROLL_HOME.`,
    words?.pid,
  );
}

function at(words: LockInfo | undefined): string {
  if (!words) return '';
  return words.host === hostname() ? ` (pid ${words.pid})` : ` (pid ${words.pid} on ${words.host})`;
}

/** The lock is ours, but it may be one that another machine does not see. */
async function refuseUnknown(home: string): Promise<void> {
  const words = await read(home);
  if (!words || !(await mayLive(home, words))) return;
  throw new LockedError(
    `${home} was last used by a reroll process on another machine${at(words)}, and this file system does not tell whether that still runs. ` +
      `See that it does not, then delete ${wordsFile(home)} and try again; or give this one another folder with REROLL_HOME.`,
    words.pid,
  );
}

/** Whether a process may live although no lock of it is to be seen here. */
async function mayLive(home: string, words: LockInfo): Promise<boolean> {
  const isOfThisKernel =
    words.boot === undefined ? words.host === hostname() : words.boot === (await bootId());
  return !isOfThisKernel && !(await reachesAllHosts(home));
}

async function own(home: string, fd: number): Promise<Lock> {
  const boot = await bootId();
  const words = {
    pid: process.pid,
    host: hostname(),
    ...(boot !== undefined && { boot }),
    nonce: randomUUID(),
  };
  held.add(words.nonce);
  await write(home, words);
  return {
    async setControl(path) {
      // Below the folder, which others may see at another path.
      const inside = relative(home, path);
      await write(home, { ...words, control: inside.startsWith('..') ? path : inside });
    },
    async release() {
      // Somebody deleted the lock by hand, and another process took the folder: its words stay.
      if ((await read(home))?.nonce === words.nonce) await rm(wordsFile(home), { force: true });
      held.delete(words.nonce);
      closeSync(fd);
    },
  };
}

/** Whoever reads sees the old words or the new, whole. */
async function write(home: string, words: LockInfo): Promise<void> {
  const draft = `${wordsFile(home)}.new`;
  await writeFile(draft, JSON.stringify(words), { mode: 0o600 });
  await rename(draft, wordsFile(home));
}

async function read(home: string): Promise<LockInfo | undefined> {
  try {
    const { control, ...words } = JSON.parse(await readFile(wordsFile(home), 'utf8')) as LockInfo;
    return { ...words, ...(control !== undefined && { control: resolve(home, control) }) };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    // Cut off by a power failure: nothing is known of its owner.
    if (systemCode(error) === undefined) return { pid: 0, host: 'unknown', boot: 'unknown', nonce: '' };
    throw error;
  }
}
