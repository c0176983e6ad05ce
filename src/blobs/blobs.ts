import { createHash } from 'node:crypto';
import { access, readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../base/atomic.js';
import { storing } from '../base/storage.js';
import { systemCode } from '../errors.js';

/** Bytes named by their SHA-256, each kept once, in a folder. Its user alone may read them. */
export interface Blobs {
  /** Keeps bytes, and answers their name: SHA-256 in hex. They are on the disk then. Throws StorageError. */
  put(bytes: Uint8Array): Promise<string>;
  /** undefined where they are not in this folder. Throws StorageError. */
  get(sha256: string): Promise<Buffer | undefined>;
}

/** The folder is made when something is put there. */
export function openBlobs(folder: string): Blobs {
  // Git's layout: a folder of 100,000 files is slow on some file systems.
  const pathOf = (sha256: string): string => join(folder, sha256.slice(0, 2), sha256.slice(2));
  return {
    async put(bytes) {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const path = pathOf(sha256);
      const isThere = await access(path).then(
        () => true,
        () => false,
      );
      // From now on it is young: what is old and no run's is cleaned away.
      if (isThere) await utimes(path, new Date(), new Date());
      else await writeAtomically(path, bytes, { isPrivate: true });
      return sha256;
    },
    async get(sha256) {
      const path = pathOf(sha256);
      return storing('read', path, async () => {
        try {
          return await readFile(path);
        } catch (error) {
          if (systemCode(error) === 'ENOENT') return undefined;
          throw error;
        }
      });
    },
  };
}
