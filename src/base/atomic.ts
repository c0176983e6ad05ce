import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

import { RerollError, StorageError, systemCode } from '../errors.js';

/** Node refuses single writes of 2 GiB and more. */
const WRITE_BYTES = 2 ** 30;

/** Where bytes go one after another. */
export interface Sink {
  /** Bytes written so far. */
  readonly length: number;
  write(bytes: Uint8Array): Promise<void>;
}

/**
 * Writes a file under a temporary name, syncs it and renames it, so that whoever finds the file finds it whole.
 * A failure of the disk becomes a StorageError and leaves nothing behind.
 */
export async function writeAtomically(path: string, fill: (sink: Sink) => Promise<void>): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  let handle: FileHandle | undefined;
  try {
    await mkdir(dirname(path), { recursive: true });
    handle = await open(temporary, 'w');
    await fill(new FileSink(handle));
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, path);
  } catch (error) {
    await handle?.close();
    await rm(temporary, { force: true });
    throw storageError(path, error);
  }
}

/** What a failed write of `path` means: a full disk, a missing permission, or an error that is already ours. */
export function storageError(path: string, error: unknown): unknown {
  const code = systemCode(error);
  if (error instanceof RerollError || code === undefined) return error;
  const why = code === 'ENOSPC' ? 'the disk is full. Free some space and try again' : code;
  return new StorageError(`Cannot write ${path}: ${why}`, { cause: error });
}

class FileSink implements Sink {
  length = 0;

  constructor(private readonly handle: FileHandle) {}

  async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.handle.write(
        bytes,
        done,
        Math.min(bytes.length - done, WRITE_BYTES),
      );
      done += bytesWritten;
    }
    this.length += bytes.length;
  }
}
