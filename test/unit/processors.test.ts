import { readFile } from 'node:fs/promises';
import { inflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it, test } from 'vitest';
import { halfToFloat } from '../../src/base/floats.js';
import { families } from '../../src/classifier/families.js';
import { parsePreprocessing } from '../../src/classifier/preprocessing.js';
import { Preprocessor } from '../../src/classifier/preprocessor.js';

interface Case {
  config: object;
  preprocessor: object | null;
  by: string;
  /** `values`: float16, deflated; of each row and column only every `every`th. */
  results: {
    picture: [number, number];
    shape: [number, number, number];
    every: number;
    values: string;
  }[];
}

/** What Hugging Face's image processors make of pictures: see scripts/parity/processors.py. */
const fixtures = new URL('../fixtures/parity/processors.json', import.meta.url);
const { cases } = JSON.parse(await readFile(fixtures, 'utf8')) as { cases: Record<string, Case> };

/** The formula of scripts/parity/processors.py. */
function patternPixels(width: number, height: number): Uint8Array {
  const pixels = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const squares = 255 * (((x >> 3) + (y >> 3)) % 2);
    pixels.set([x * 7 + y * 3, x * y, squares], i * 3);
  }
  return pixels;
}

const png = (width: number, height: number) =>
  sharp(patternPixels(width, height), { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();

describe('pictures are prepared as Python prepares them', () => {
  it('by the processors of at least ten families', () => {
    expect(new Set(Object.values(cases).map(({ by }) => by)).size).toBeGreaterThanOrEqual(10);
  });

  it.each(Object.entries(cases))('%s', async (_, { config, preprocessor, results }) => {
    const preprocessing = parsePreprocessing(preprocessor ?? undefined, config);
    expect(preprocessing.notes).toEqual([]);
    // One step of 8 bits, in the numbers that the model gets.
    const steps = preprocessing.channels.map(({ scale }) => scale);
    for (const { picture, shape, every, values } of results) {
      const bytes = inflateSync(Buffer.from(values, 'base64'));
      const wanted = halfToFloat(new Uint16Array(new Uint8Array(bytes).buffer));
      const made = (await new Preprocessor(preprocessing).prepare(await png(...picture)))();
      expect([3, made.height, made.width]).toEqual(shape);
      let sum = 0;
      let at = 0;
      for (let channel = 0; channel < 3; channel++)
        for (let y = 0; y < made.height; y += every)
          for (let x = 0; x < made.width; x += every) {
            const own = made.values[(channel * made.height + y) * made.width + x]!;
            sum += Math.abs(own - wanted[at++]!) / steps[channel]!;
          }
      expect(at).toBe(wanted.length);
      expect(sum / at, `mean difference in 1/255 for ${picture.join(' x ')}`).toBeLessThan(1);
    }
  });
});

test('null counts as left out, at every depth', () => {
  const vit = { image_processor_type: 'ViTImageProcessor', size: { height: 32, width: 32 } };
  const nulls = {
    ...vit,
    size: { ...vit.size, shortest_edge: null },
    ...Object.fromEntries(
      ['do_resize', 'do_rescale', 'do_normalize', 'do_center_crop', 'do_pad', 'crop_size', 'resample']
        .concat(['image_mean', 'image_std', 'rescale_factor', 'crop_pct', 'max_size', 'default_to_square'])
        .map((key) => [key, null]),
    ),
  };
  expect(parsePreprocessing(nulls, {})).toEqual(parsePreprocessing(vit, {}));
});

test('what is not known to be as in Python is said', () => {
  const notesOf = (preprocessor: object, config: object) => parsePreprocessing(preprocessor, config).notes;
  const size = { height: 32, width: 32 };
  expect(notesOf({ image_processor_type: 'FancyImageProcessor', size }, { model_type: 'fancy' })).toEqual([
    expect.stringMatching(/does not know FancyImageProcessor.*may differ from Python/),
  ]);
  expect(notesOf({ size }, { model_type: 'fancy' })).toEqual([expect.stringMatching(/of a fancy/)]);
  expect(notesOf({ size }, {})).toEqual([expect.stringMatching(/model without model_type/)]);
  expect(notesOf({ size }, { model_type: 'data2vec-vision' })).toEqual([]);
  // A config.json in the place of the preprocessor's says no size: the model's own is the only one that can work.
  const config = { model_type: 'vit', image_size: 120 };
  expect(notesOf(config, config)).toEqual([expect.stringMatching(/names no `size`: .* 120 x 120/)]);
  expect(parsePreprocessing(config, config).resize?.to).toEqual({ kind: 'exact', width: 120, height: 120 });
});

test('a crop that nobody named is as large as the model takes it', () => {
  const words = { image_processor_type: 'MobileNetV2ImageProcessor', size: { height: 120, width: 120 } };
  const { crop, notes } = parsePreprocessing(words, { model_type: 'mobilenet_v2', image_size: 120 });
  expect(crop).toMatchObject({ width: 120, height: 120 });
  expect(notes).toEqual([expect.stringMatching(/names no `crop_size`/)]);
  expect(parsePreprocessing(words, { image_size: [224, 224] }).notes).toEqual([]);
  expect(parsePreprocessing(words, {}).crop).toMatchObject({ width: 224, height: 224 });
});

test.each(Object.keys(families))('%s is known by each of its names, and by its defaults alone', (name) => {
  const preprocessings = [
    'ImageProcessor',
    'ImageProcessorFast',
    'ImageProcessorPil',
    'FeatureExtractor',
  ].map((kind) => parsePreprocessing({ image_processor_type: name + kind }, {}));
  for (const preprocessing of preprocessings) {
    expect(preprocessing).toEqual(preprocessings[0]);
    expect(preprocessing.notes).toEqual([]);
    expect([...new Preprocessor(preprocessing).samples()]).toHaveLength(2);
  }
});

test('words that cannot be meant are refused by name', () => {
  for (const [words, message] of [
    [{ size: { longest_edge: 32 } }, /`size`: it needs height and width/],
    [{ size: -1 }, /size/],
    [{ size: 32, resample: 9 }, /no way of resizing called 9/],
    [{ size: 32, do_center_crop: true, crop_size: { height: 3 } }, /`crop_size`/],
    [{ size: 32, image_mean: [1, 2] }, /image_mean/],
    [{ size: 32, do_resize: 'yes' }, /do_resize/],
  ] as const) {
    expect(() => parsePreprocessing(words, { model_type: 'vit' })).toThrow(message);
  }
});

test('a picture whose resized form would be too large is refused as an image', async () => {
  const bytes = await sharp({ create: { width: 60_000, height: 2, channels: 3, background: '#888' } })
    .png()
    .toBuffer();
  const preprocessor = new Preprocessor(
    parsePreprocessing({ image_processor_type: 'CLIPImageProcessor' }, {}),
  );
  await expect(preprocessor.prepare(bytes)).rejects.toMatchObject({ name: 'ImageError' });
});
