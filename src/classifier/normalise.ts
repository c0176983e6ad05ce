import { roundHalfEven } from '../base/floats.js';
import type { Preprocessing } from './preprocessing.js';
import type { Rgb } from './resample.js';
import type { Size } from './sizes.js';

/** Width and height of the model's input for a resized picture. */
export function inputSize({ crop, pad }: Preprocessing, picture: Size): Size {
  const { width, height } = crop ?? picture;
  return { width: Math.max(width, pad?.width ?? 0), height: Math.max(height, pad?.height ?? 0) };
}

/**
 * Writes resized pixels as the model takes them, channel by channel, into `target` (3 x height x width of
 * `inputSize`): cut, normalised, padded.
 */
export function normalise(picture: Rgb, preprocessing: Preprocessing, target: Float32Array): void {
  const { crop, channels } = preprocessing;
  const input = inputSize(preprocessing, picture);
  const { width, height } = crop ?? picture;
  const cut = (whole: number, part: number) => {
    const half = (whole - part) / 2;
    if (crop?.middle !== 'even') return Math.floor(half);
    return half < 0 ? Math.ceil(half) : roundHalfEven(half);
  };
  const left = cut(picture.width, width);
  const top = cut(picture.height, height);
  target.fill(0);
  channels.forEach(({ from, scale, shift }, channel) => {
    // There are only 256 values.
    const values = Float32Array.from({ length: 256 }, (_, value) => value * scale + shift);
    const around = values[crop?.fill[from] ?? 0] ?? 0;
    for (let y = 0; y < height; y++) {
      const row = top + y;
      const isRow = row >= 0 && row < picture.height;
      let to = (channel * input.height + y) * input.width;
      let at = (row * picture.width + left) * 3 + from;
      for (let x = left; x < left + width; x++, at += 3) {
        const isInside = isRow && x >= 0 && x < picture.width;
        target[to++] = isInside ? (values[picture.data[at] ?? 0] ?? 0) : around;
      }
    }
  });
}
