import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { storing } from './storage.js';

/** Whether something is there, of whatever kind. What cannot be looked at is not there for us either. */
export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

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
  for (const path of paths) {
    await storing('read', path, async () => {
      for await (const part of createReadStream(path, { highWaterMark: 2 ** 20 }))
        hash.update(part as Buffer);
    });
  }
  return hash.digest('hex');
}
