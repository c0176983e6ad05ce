import { readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import picomatch from 'picomatch';
import { ConfigError } from '../errors.js';
import { warn } from './print.js';

const image = /\.(png|jpe?g|webp)$/i;
/** Pictures that reroll does not read: whoever has them in a folder should not wonder where they are. */
const otherImage = /\.(gif|bmp|tiff?|avif|heic|heif|jxl|jp2|psd|tga|svg|exr|hdr|dng|cr2|nef|arw|ico)$/i;

/**
 * The image files that arguments name, one by one: a file as it is, a folder with all below it by name, a glob,
 * `-` for a list on standard input, a path a line. No more is held than the names in one folder: millions of files are
 * fine. Links are followed; a folder that lies in itself is seen once. An argument that names nothing is told to `onNothing`, which throws if it is not given.
 */
export async function* imageFiles(
  names: readonly string[],
  stdin: Readable,
  onNothing: (message: string) => void = refuse,
): AsyncGenerator<string> {
  for (const name of names) {
    if (name === '-') {
      for await (const line of createInterface({ input: stdin })) if (line.trim() !== '') yield line.trim();
      continue;
    }
    const entry = await stat(name).catch(() => undefined);
    const { base, glob, isGlob } = picomatch.scan(name);
    if (entry?.isDirectory()) {
      const skipped = new Map<string, number>();
      const images = below(name, (path) => {
        const kind = otherImage.exec(path)?.[0].toLowerCase();
        if (kind !== undefined) skipped.set(kind, (skipped.get(kind) ?? 0) + 1);
        return image.test(path);
      });
      yield* some(images, () => onNothing(`no images in ${name}.`));
      if (skipped.size > 0) warn(`${name}: ${inWords(skipped)} left out: reroll takes PNG, JPEG and WebP.`);
    } else if (entry) yield name;
    else if (!isGlob) onNothing(`there is no file or folder ${name}.`);
    else yield* some(matching(base || '.', picomatch(glob)), () => onNothing(`no file matches ${name}.`));
  }
}

const inWords = (skipped: Map<string, number>): string =>
  [...skipped].map(([kind, count]) => `${count} ${kind}`).join(', ');

/** All of `paths`; `onNothing` where there are none. */
async function* some(paths: AsyncGenerator<string>, onNothing: () => void): AsyncGenerator<string> {
  let found = false;
  for await (const path of paths) {
    found = true;
    yield path;
  }
  if (!found) onNothing();
}

const matching = (folder: string, isMatch: (path: string) => boolean): AsyncGenerator<string> =>
  below(folder, (path) => isMatch(relative(folder, path).split(sep).join('/')));

function refuse(message: string): never {
  throw new ConfigError(message);
}

/** All files below a folder that are wanted, by name. `above`: the real paths of the folders that lead to it. */
async function* below(
  folder: string,
  wanted: (path: string) => boolean,
  above: readonly string[] = [],
): AsyncGenerator<string> {
  const real = await realpath(folder).catch(() => folder);
  if (above.includes(real)) return;
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new ConfigError(`cannot read the folder ${folder}.`, { cause });
  });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    // A link is what it leads to; one that leads nowhere is nothing.
    const kind = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry;
    if (kind?.isDirectory()) yield* below(path, wanted, [...above, real]);
    else if (kind?.isFile() && wanted(path)) yield path;
  }
}
