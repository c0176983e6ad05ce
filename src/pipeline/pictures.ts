import fs from 'node:fs/promises';
import path from 'node:path';
import { isPictureFile } from '../base/picture.js';
import { ConfigError } from '../errors.js';
import { scriptPictures } from '../loop/index.js';
import { unreadable } from './files.js';
import type { Pipeline } from './pipeline.js';
import { displayPath } from './problems.js';
import type { FileRow } from './rows.js';

/**
 * The pictures that rows of prompt files name. A table may come from anywhere, and what it names is sent to servers:
 * only pictures, and only from below the pipeline's folder or one that the pipeline names under `pictures`.
 */
export class RowPictures {
  #roots: Promise<string[]> | undefined;

  readonly #pipeline: Pick<Pipeline, 'dir' | 'pictures'>;

  constructor(pipeline: Pick<Pipeline, 'dir' | 'pictures'>) {
    this.#pipeline = pipeline;
  }

  /** Throws ConfigError with the row's place. */
  async check({ settings, place }: FileRow): Promise<void> {
    const named: [string, string | undefined][] = [
      ['init_image', settings.init_image],
      ['mask', settings.mask],
      ...scriptPictures(settings).map((file): [string, string] => [
        'a picture of a1111.alwayson_scripts',
        file,
      ]),
    ];
    for (const [what, file] of named) {
      const problem = file === undefined ? undefined : await this.#problemOf(file);
      if (file !== undefined && problem !== undefined)
        throw new ConfigError(`${place}: ${what} is ${displayPath(file)}; ${problem}`);
    }
  }

  async #problemOf(file: string): Promise<string | undefined> {
    const { dir, pictures } = this.#pipeline;
    this.#roots ??= Promise.all([dir, ...pictures].map((folder) => fs.realpath(folder)));
    try {
      // Links are followed first: they may lead anywhere.
      const real = await fs.realpath(file);
      if (!(await this.#roots).some((root) => isBelow(root, real)))
        return `a row may name pictures below ${displayPath(dir)} alone. Allow its folder in the pipeline: pictures: ["${path.dirname(real)}"].`;
      if ((await fs.stat(real)).isFile() && isPictureFile(real)) return undefined;
      return 'this is no picture: PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF and HEIC are.';
    } catch (error) {
      return unreadable(file, error).message;
    }
  }
}

function isBelow(root: string, file: string): boolean {
  const relative = path.relative(root, file);
  return relative !== '' && !path.isAbsolute(relative) && relative.split(path.sep)[0] !== '..';
}
