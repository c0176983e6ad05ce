import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import { sep } from 'node:path';
import { GoneError, systemCode } from '../errors.js';
import { makeFolder, writeAtomically } from '../base/atomic.js';
import { storing } from '../base/storage.js';
import { pathInside, realFolder } from './files.js';

/** The images that attempts produced, as their servers made them, until they are published or discarded. */
export interface Candidates {
  /** Stores `bytes` under `name`, a path below the folder such as `portraits-1/12-3.png`. Repeating it is harmless. */
  put(name: string, bytes: Uint8Array): Promise<{ file: string; sha256: string }>;
  /** The bytes of a stored candidate. GoneError where it is no longer there. */
  read(file: string): Promise<Buffer>;
  /** Removes one. One that is already gone is no error. */
  remove(file: string): Promise<void>;
  /** Removes every candidate of a run: all that is stored below `<run>/`. */
  removeAll(run: string): Promise<void>;
}

/** Opens the candidates folder, made if there is none. Throws StorageError where it cannot be. */
export async function openCandidates(folder: string): Promise<Candidates> {
  await storing('make the folder', folder, () => makeFolder(folder, true));
  const base = await realFolder(folder);
  return {
    async put(name, bytes) {
      await writeAtomically(await pathInside(base, name), bytes, { isPrivate: true });
      return { file: name.replaceAll(sep, '/'), sha256: createHash('sha256').update(bytes).digest('hex') };
    },
    async read(file) {
      const path = await pathInside(base, file);
      return storing('read', path, async () => {
        try {
          return await fs.readFile(path);
        } catch (error) {
          if (systemCode(error) !== 'ENOENT') throw error;
          // A drive that is not mounted has lost nothing.
          await fs.access(base);
          throw new GoneError(`${path} is gone`);
        }
      });
    },
    async remove(file) {
      const path = await pathInside(base, file);
      await storing('remove', path, () => fs.unlink(path).catch(unlessGone));
    },
    async removeAll(run) {
      const path = await pathInside(base, run);
      await storing('remove', path, () => fs.rm(path, { recursive: true, force: true }));
    },
  };
}

function unlessGone(error: unknown): void {
  if (systemCode(error) !== 'ENOENT') throw error;
}
