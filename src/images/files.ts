import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { ConfigError, StorageError, systemCode } from '../errors.js';

const advice: Record<string, string> = {
  ENOSPC: 'the disk is full: free some space, then run `reroll resume`',
  EDQUOT: 'your disk quota is used up: free some space, then run `reroll resume`',
  EACCES: 'no permission: choose another folder, or change its owner or mode',
  EPERM: 'no permission: choose another folder, or change its owner or mode',
  EROFS: 'the file system is read-only: choose another folder',
  ENOTDIR: 'a part of this path is a file, not a folder',
  ENOENT: 'there is no such file or folder',
  EISDIR: 'this is a folder, not a file',
  ENAMETOOLONG: 'the name is too long for this file system: shorten `output.filename`',
};

/** Runs `action`; a system error becomes a StorageError that names `path` and says what to do. */
export async function storing<T>(doing: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    throw new StorageError(`cannot ${doing} ${path}: ${advice[code] ?? code}.`, { cause: error });
  }
}

/**
 * Writes a file so that whoever looks sees either nothing (or the old file) or the whole of it, even
 * after a power cut: a temporary name in the same folder, synced, renamed, the folder synced.
 * Makes the folder if there is none. With `isPrivate`, nobody but this user may read
 * them. Throws StorageError.
 */
export async function writeAtomically(
  path: string,
  content: Uint8Array | string | AsyncIterable<Uint8Array | string>,
  { isPrivate }: { isPrivate: boolean } = { isPrivate: false },
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path).slice(0, 100)}.${randomUUID()}.tmp`);
  await storing('write in', folder, async () => {
    await makeFolder(folder, isPrivate);
    try {
      const file = await fs.open(temporary, 'wx', isPrivate ? 0o600 : 0o666);
      try {
        await fs.writeFile(file, content);
        await file.sync();
      } finally {
        await file.close();
      }
      await fs.rename(temporary, path);
    } catch (error) {
      await fs.rm(temporary, { force: true });
      throw error;
    }
    await syncFolder(folder);
  });
}

/** Makes a folder and those above it, each on the disk: a power cut would take what is in it along. */
async function makeFolder(folder: string, isPrivate: boolean): Promise<void> {
  const first = await fs.mkdir(folder, { recursive: true, mode: isPrivate ? 0o700 : 0o777 });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

/** Without this a power cut can undo the rename. Windows cannot open folders and needs no such thing. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * The absolute path of `relative` below `folder`, which must exist. Throws ConfigError where it leads
 * outside: by `..`, by an absolute path, or through a symbolic link.
 */
export async function pathInside(folder: string, relative: string): Promise<string> {
  const base = await storing('open', folder, () => fs.realpath(folder));
  const path = resolve(base, relative);
  const isInside = (real: string): boolean => real.startsWith(base.endsWith(sep) ? base : base + sep);
  if (!isInside(path)) throw leavesFolder(folder, relative);
  // What exists of the path may be a link to somewhere else; what does not exist yet cannot be.
  const real = await realpathOfExisting(path);
  if (real !== base && !isInside(real)) throw leavesFolder(folder, relative);
  return path;
}

async function realpathOfExisting(path: string): Promise<string> {
  try {
    return await fs.realpath(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') return storing('open', path, () => Promise.reject(error as Error));
    return realpathOfExisting(dirname(path));
  }
}

const leavesFolder = (folder: string, relative: string): ConfigError =>
  new ConfigError(`"${relative}" leads out of the folder ${folder}: file names must stay inside it.`);
