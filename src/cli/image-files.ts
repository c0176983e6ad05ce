import { stat } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import picomatch from 'picomatch';
import { filesBelow, picturesBelow } from '../base/picture-files.js';
import { ConfigError } from '../errors.js';
import { warn } from './print.js';

/**
 * The image files that arguments name, one by one: a file as it is, a folder with all below it by name, a glob,
 * `-` for a list on standard input, a path a line. An argument that names nothing is told to `onNothing`, which throws
 * if it is not given.
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
      yield* some(picturesBelow(name, warn), () => onNothing(`no images in ${name}.`));
    } else if (entry) yield name;
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

async function* matching(folder: string, isMatch: (path: string) => boolean): AsyncGenerator<string> {
  for await (const path of filesBelow(folder))
    if (isMatch(relative(folder, path).split(sep).join('/'))) yield path;
}

function refuse(message: string): never {
  throw new ConfigError(message);
}
