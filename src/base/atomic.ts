import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCode } from '../errors.js';
import { storageError, storing } from './storage.js';

/** Node refuses single writes of 2 GiB and more. */
const writeBytes = 2 ** 30;

/** What a write is called until it is whole. */
const temporaryName = /^\..*\.[-0-9a-f]{36}\.tmp$/s;

/** Where bytes go one after another. */
export interface Sink {
  /** Bytes written so far. */
  readonly length: number;
  write(bytes: Uint8Array): Promise<void>;
}

type Content = Uint8Array | string | AsyncIterable<Uint8Array | string> | ((sink: Sink) => Promise<void>);

/**
 * Writes a file so that whoever looks sees either nothing (or the old file) or the whole of it, even
 * after a power cut: a temporary name in the same folder, synced, renamed, the folder synced.
 * Makes the folder if there is none. With `isPrivate`, nobody but this user may read
 * them. Throws StorageError, and leaves nothing behind.
 */
export async function writeAtomically(
  path: string,
  content: Content,
  { isPrivate }: { isPrivate: boolean } = { isPrivate: false },
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path).slice(0, 100)}.${randomUUID()}.tmp`);
  await storing('write in', folder, async () => {
    try {
      const file = await openNew(temporary, isPrivate);
      try {
        if (typeof content === 'function') await content(new FileSink(file));
        else await fs.writeFile(file, content);
        await file.sync();
      } finally {
        await file.close();
      }
      await fs.rename(temporary, path);
    } catch (error) {
      await fs.rm(temporary, { force: true });
      throw error;
    }
    // Another write, of this very moment, may have made the folder.
    await Promise.all([syncFolder(folder), ...making]);
  });
}

/**
 * Removes what is left of writes that were killed, below a folder, if there is one: temporary files that nobody has touched
 * for so long.
 */
export async function sweepTemporary(folder: string, untouchedMs: number): Promise<void> {
  const names = await fs.readdir(folder, { recursive: true }).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw storageError('read', folder, error);
  });
  const latest = Date.now() - untouchedMs;
  for (const name of names) {
    if (!temporaryName.test(basename(name))) continue;
    const path = join(folder, name);
    const { mtimeMs = Infinity } = (await fs.lstat(path).catch(() => undefined)) ?? {};
    if (mtimeMs <= latest) await fs.rm(path, { force: true });
  }
}

class FileSink implements Sink {
  length = 0;

  readonly #file: fs.FileHandle;

  constructor(file: fs.FileHandle) {
    this.#file = file;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const size = Math.min(bytes.length - done, writeBytes);
      done += (await this.#file.write(bytes, done, size)).bytesWritten;
    }
    this.length += bytes.length;
  }
}

/** Most folders are there already: to ask first would cost as much as to open. */
async function openNew(path: string, isPrivate: boolean): Promise<fs.FileHandle> {
  const open = () => fs.open(path, 'wx', isPrivate ? 0o600 : 0o666);
  try {
    return await open();
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    await makeFolder(dirname(path), isPrivate);
    return open();
  }
}

/** Folders that are there and may not be on the disk yet. */
const making = new Set<Promise<void>>();

/** Makes a folder and those above it, each on the disk: a power cut would take what is in it along. */
export async function makeFolder(folder: string, isPrivate: boolean): Promise<void> {
  const made = makeAndSync(folder, isPrivate);
  making.add(made);
  await made.finally(() => making.delete(made));
}

async function makeAndSync(folder: string, isPrivate: boolean): Promise<void> {
  const first = await fs.mkdir(folder, { recursive: true, mode: isPrivate ? 0o700 : 0o777 });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

/** Moves a file, which is in one of the two places whatever happens, and in the new one after a power cut. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await makeFolder(dirname(to), false);
  await fs.rename(from, to);
  await Promise.all([dirname(to), dirname(from)].map(syncFolder));
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
