import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { createInterface } from 'node:readline';
import picomatch from 'picomatch';
import { ConfigError } from '../errors.js';

const image = /\.(png|jpe?g|webp)$/i;

/**
 * The image files that arguments name, one by one: a file as it is, a folder with all below it by name, a glob,
 * `-` for a list on standard input, a path a line. No more is held than the names in one folder: millions of files are
 * fine. An argument that names nothing is told to `onNothing`, which throws if it is not given.
 */
export async function* imageFiles(
  names: readonly string[],
  stdin: NodeJS.ReadableStream,
  onNothing: (message: string) => void = refuse,
): AsyncGenerator<string> {
  for (const name of names) {
    if (name === '-') {
      for await (const line of createInterface({ input: stdin })) if (line.trim() !== '') yield line.trim();
      continue;
    }
    const entry = await stat(name).catch(() => undefined);
    const { base, glob, isGlob } = picomatch.scan(name);
    if (entry?.isDirectory())
      yield* some(
        below(name, (path) => image.test(path)),
        () => onNothing(`no images in ${name}.`),
      );
    else if (entry) yield name;
    else if (!isGlob) onNothing(`there is no file or folder ${name}.`);
    else yield* some(matching(base || '.', picomatch(glob)), () => onNothing(`no file matches ${name}.`));
  }
}

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

async function* below(folder: string, wanted: (path: string) => boolean): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new ConfigError(`cannot read the folder ${folder}.`, { cause });
  });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* below(path, wanted);
    else if (entry.isFile() && wanted(path)) yield path;
  }
}
