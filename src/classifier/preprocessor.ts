import { ImageError } from '../errors.js';
import type { Pixels } from './network.js';
import { inputSize, normalise } from './normalise.js';
import { maxPixels, readResized, readRgb, readSize } from './pixels.js';
import type { Preprocessing } from './preprocessing.js';
import { resample, type Rgb } from './resample.js';
import { sizeOf, type Size } from './sizes.js';

/** Prepares pictures for a model. The buffer of its input is used again and again. */
export class Preprocessor {
  #values = new Float32Array();

  readonly #preprocessing: Preprocessing;

  constructor(preprocessing: Preprocessing) {
    this.#preprocessing = preprocessing;
  }

  /** Decodes and resizes; what it returns fills the model's input, and is called while the model is free. */
  async prepare(image: Buffer | string): Promise<() => Pixels> {
    const picture = await this.#read(image);
    return () => this.#fill(picture);
  }

  /** Inputs to try a model with: of a black picture and, since numbers overflow on busy ones first, of noise. */
  *samples(): Generator<Pixels> {
    const black = new Uint8Array(96 * 64 * 3);
    for (const data of [black, black.map(() => Math.random() * 256)]) {
      const picture = { width: 96, height: 64, data };
      const { width, height } = this.#resized(picture);
      yield this.#fill(resample(picture, width, height, this.#preprocessing.resize?.filter ?? 'bilinear'));
    }
  }

  async #read(image: Buffer | string): Promise<Rgb> {
    const { resize } = this.#preprocessing;
    if (!resize) return readRgb(image);
    const { width, height } = this.#resized(await readSize(image));
    return readResized(image, width, height, resize.filter);
  }

  #resized(picture: Size): Size {
    const { resize } = this.#preprocessing;
    if (!resize) return picture;
    const size = sizeOf(resize.to, picture);
    if (size.width * size.height > maxPixels) {
      throw new ImageError(
        `${picture.width} x ${picture.height} pixels: so long and narrow that the model's size of it is too large.`,
      );
    }
    return size;
  }

  #fill(picture: Rgb): Pixels {
    const { width, height } = inputSize(this.#preprocessing, picture);
    const length = 3 * width * height;
    if (this.#values.length !== length) this.#values = new Float32Array(length);
    normalise(picture, this.#preprocessing, this.#values);
    return { values: this.#values, width, height };
  }
}
