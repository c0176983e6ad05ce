import fs from 'node:fs/promises';
import path from 'node:path';
import { filesBelow, isPictureName, picturesBelow } from '../base/picture-files.js';
import { ConfigError } from '../errors.js';
import { unreadable } from './files.js';
import { matchesGlob } from './glob.js';
import { displayPath } from './problems.js';
import { mostShots, tooManyShots } from './size.js';

export const isGlob = (file: string): boolean => file.includes('*');

/** The pictures that `init_image` names; each folder is read once. */
export class StartImages {
  readonly #found = new Map<string, string[]>();
  readonly #onNote: (note: string) => void;

  constructor(onNote: (note: string) => void) {
    this.#onNote = onNote;
  }

  /** A file as it is; all pictures below a folder, or that a glob matches, by name. Throws ConfigError where there are none. */
  async of(place: string): Promise<string[]> {
    const known = this.#found.get(place) ?? (await this.#find(place));
    this.#found.set(place, known);
    return known;
  }

  async #find(place: string): Promise<string[]> {
    const entry = await fs.stat(place).catch((error: unknown) => {
      if (isGlob(place)) return undefined;
      throw unreadable(place, error);
    });
    if (entry?.isDirectory() === false) return [place];
    const found: string[] = [];
    const files = entry ? shown(place, picturesBelow(place, this.#onNote)) : matching(place);
    for await (const file of files) {
      found.push(file);
      if (found.length > mostShots) throw new ConfigError(tooManyShots(found.length));
    }
    if (found.length > 0) return found;
    const what = entry ? 'no pictures are below' : 'no pictures match';
    throw new ConfigError(
      `init_image: ${what} ${displayPath(place)}. PNG, JPEG and WebP count; paths count from the file that names them.`,
    );
  }
}

function matching(glob: string): AsyncIterable<string> {
  const slashes = glob.split(path.sep).join('/');
  const folder = slashes.slice(0, slashes.lastIndexOf('/', slashes.indexOf('*')) + 1);
  const pattern = slashes.slice(folder.length);
  return shown(folder, filesBelow(folder), pattern);
}

/** Hidden files have to be named: some systems write one beside every picture. */
async function* shown(folder: string, files: AsyncIterable<string>, pattern = '**'): AsyncGenerator<string> {
  if ((await fs.stat(folder).catch(() => undefined)) === undefined) return;
  for await (const file of files) {
    const name = path.relative(folder, file).split(path.sep).join('/');
    if (isPictureName(file) && matchesGlob(pattern, name)) yield file;
  }
}
