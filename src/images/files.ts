import fs from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import { storing } from '../base/storage.js';
import { ConfigError, systemCode } from '../errors.js';

/** The path of a folder that exists, without links. */
export const realFolder = (folder: string): Promise<string> =>
  storing('open', folder, () => fs.realpath(folder));

/**
 * The absolute path of `relative` below `base`, a folder's real path. Throws ConfigError where it leads
 * outside: by `..`, by an absolute path, or through a symbolic link.
 */
export async function pathInside(base: string, relative: string): Promise<string> {
  const path = resolve(base, relative);
  const isInside = (real: string): boolean => real.startsWith(base.endsWith(sep) ? base : base + sep);
  if (!isInside(path)) throw leavesFolder(base, relative);
  // What exists of the path may be a link to somewhere else; what does not exist yet cannot be.
  const real = await realpathOfExisting(path);
  if (real !== base && !isInside(real)) throw leavesFolder(base, relative);
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
