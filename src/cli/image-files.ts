import { opendir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { createInterface } from 'node:readline';
import picomatch from 'picomatch';
import { ConfigError } from '../errors.js';

const image = /\.(png|jpe?g|webp)$/i;

/**
 * The image files that arguments name, one by one: a file as it is, a folder with all below it, a glob,
 * `-` for a list on standard input, a path a line. Nothing is held: millions of files are fine.
 */
export async function* imageFiles(
  names: readonly string[],
  stdin: NodeJS.ReadableStream,
): AsyncGenerator<string> {
  for (const name of names) {
    if (name === '-') {
      for await (const line of createInterface({ input: stdin })) if (line.trim() !== '') yield line.trim();
      continue;
    }
    const entry = await stat(name).catch(() => undefined);
    if (entry?.isDirectory()) yield* below(name, (path) => image.test(path));
    else if (entry) yield name;
    else yield* matching(name);
  }
}

async function* matching(pattern: string): AsyncGenerator<string> {
  const { base, glob, isGlob } = picomatch.scan(pattern);
  if (!isGlob) throw new ConfigError(`there is no file or folder ${pattern}.`);
  const isMatch = picomatch(glob);
  const folder = base || '.';
  let found = false;
  for await (const path of below(folder, (path) => isMatch(relative(folder, path).split(sep).join('/')))) {
    found = true;
    yield path;
  }
  if (!found) throw new ConfigError(`no file matches ${pattern}.`);
}

async function* below(folder: string, wanted: (path: string) => boolean): AsyncGenerator<string> {
  const entries = await opendir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new ConfigError(`cannot read the folder ${folder}.`, { cause });
  });
  for await (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && wanted(path)) yield path;
  }
}
