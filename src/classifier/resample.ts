import { ModelError } from '../errors.js';

/** A picture of 8 bits a channel, RGB, row by row. */
export interface Rgb {
  width: number;
  height: number;
  data: Uint8Array;
}

/** Pillow's filters, by their numbers there. */
const names = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'] as const;
export type Filter = (typeof names)[number];

/** A filter by Pillow's number or name. Throws ModelError. */
export function filterOf(resample: number | string): Filter {
  const found =
    typeof resample === 'number' ? names[resample] : names.find((name) => name === resample.toLowerCase());
  if (found) return found;
  throw new ModelError(`there is no way of resizing called ${resample}: reroll knows ${names.join(', ')}.`);
}

/** The filters of Pillow's Image.resize: reach in source pixels, and weight at a distance. */
const filters: Record<Exclude<Filter, 'nearest'>, { reach: number; weight: (distance: number) => number }> = {
  box: { reach: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  hamming: {
    reach: 1,
    weight: (x) => (Math.abs(x) < 1 ? sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x)) : 0),
  },
  bilinear: { reach: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { reach: 2, weight: cubic },
  lanczos: { reach: 3, weight: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/**
 * Resizes as Pillow does: a filter that widens with the reduction (antialiasing), across first, then
 * down, rounded to 8 bits in between. The reference that Python's image processors follow.
 */
export function resample(picture: Rgb, width: number, height: number, filter: Filter): Rgb {
  if (filter === 'nearest') return nearest(picture, width, height);
  const across = { width, height: picture.height, data: new Uint8Array(width * picture.height * 3) };
  const columns = windows(picture.width, width, filter);
  for (let y = 0; y < picture.height; y++) {
    const row = y * picture.width * 3;
    columns.forEach(({ first, weights }, x) => {
      blend(picture.data, row + first * 3, 3, weights, across.data, (y * width + x) * 3, 3);
    });
  }
  const result = { width, height, data: new Uint8Array(width * height * 3) };
  windows(picture.height, height, filter).forEach(({ first, weights }, y) => {
    blend(across.data, first * width * 3, width * 3, weights, result.data, y * width * 3, width * 3);
  });
  return result;
}

/** Pillow's fixed point: a weight of 1 is 2^22. Ties would round otherwise without it. */
const bits = 22;
const half = 2 ** (bits - 1);
const roundFromZero = (value: number): number => Math.sign(value) * Math.round(Math.abs(value));

/** Writes `count` neighbouring values, each the weighted sum of values that lie `step` apart. */
function blend(
  source: Uint8Array,
  from: number,
  step: number,
  weights: Int32Array,
  target: Uint8Array,
  to: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) {
    let sum = half;
    for (let tap = 0, at = from + i; tap < weights.length; tap++, at += step) {
      sum += (source[at] ?? 0) * (weights[tap] ?? 0);
    }
    target[to + i] = Math.max(0, Math.min(255, sum >> bits));
  }
}

/** For each place of the result, the source pixels it is made of. The weights sum to 1 (2^22). */
function windows(
  size: number,
  newSize: number,
  filter: keyof typeof filters,
): { first: number; weights: Int32Array }[] {
  const { reach, weight } = filters[filter];
  const scale = size / newSize;
  const spread = Math.max(scale, 1);
  return Array.from({ length: newSize }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach * spread + 0.5));
    const end = Math.min(size, Math.trunc(centre + reach * spread + 0.5));
    const weights = Float64Array.from({ length: end - first }, (_, tap) =>
      weight((first + tap - centre + 0.5) / spread),
    );
    const sum = weights.reduce((total, value) => total + value, 0);
    return { first, weights: Int32Array.from(weights, (value) => roundFromZero((value / sum) * 2 ** bits)) };
  });
}

function nearest(picture: Rgb, width: number, height: number): Rgb {
  const result = { width, height, data: new Uint8Array(width * height * 3) };
  const columns = places(picture.width, width);
  let to = 0;
  for (const y of places(picture.height, height)) {
    for (const x of columns) {
      const from = (y * picture.width + x) * 3;
      for (let channel = 0; channel < 3; channel++) result.data[to++] = picture.data[from + channel] ?? 0;
    }
  }
  return result;
}

/** Added up as Pillow does, whose sums decide where a place falls between two pixels. */
function places(size: number, newSize: number): number[] {
  const step = size / newSize;
  let at = step * 0.5;
  return Array.from({ length: newSize }, () => {
    const place = Math.floor(at);
    at += step;
    return place;
  });
}
