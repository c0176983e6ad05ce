import fs from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import { storing } from '../base/storage.js';
import { ConfigError, systemCode } from '../errors.js';

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
