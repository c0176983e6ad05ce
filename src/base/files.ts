import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { StorageError, systemCode } from '../errors.js';

/** Bytes of a file; undefined where there is none. */
export async function fileBytes(path: string): Promise<number | undefined> {
  return stat(path).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
}

/** SHA-256 in hex over the files, one after another. */
export async function sha256(...paths: string[]): Promise<string> {
  const hash = createHash('sha256');
  try {
    for (const path of paths) {
      for await (const part of createReadStream(path, { highWaterMark: 2 ** 20 }))
        hash.update(part as Buffer);
    }
  } catch (error) {
    throw new StorageError(`Cannot read ${paths.join(', ')} (${systemCode(error) ?? String(error)})`, {
      cause: error,
    });
  }
  return hash.digest('hex');
}
