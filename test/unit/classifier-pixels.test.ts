import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { normalise } from '../../src/classifier/normalise.js';
import { readResized, readRgb } from '../../src/classifier/pixels.js';
import { resample, type Filter, type Rgb } from '../../src/classifier/resample.js';
import { testPicture, testPixels } from '../support/pictures.js';

const meanDifference = (a: Rgb, b: Rgb): number => {
  expect([a.width, a.height, a.data.length]).toEqual([b.width, b.height, b.data.length]);
  return a.data.reduce((sum, value, index) => sum + Math.abs(value - b.data[index]!), 0) / a.data.length;
};

test("resample gives Pillow's pixels, larger, smaller and both at once, for every filter", async () => {
  const file = new URL('../fixtures/pillow-resize.json', import.meta.url);
  const fixture = JSON.parse(await readFile(file, 'utf8')) as {
    width: number;
    height: number;
    results: { filter: Filter; width: number; height: number; pixels: number[] }[];
  };
  const { width, height } = fixture;
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => i * i * 31 + i * 17);
  expect(fixture.results).toHaveLength(9);
  for (const wanted of fixture.results) {
    const made = resample({ width, height, data }, wanted.width, wanted.height, wanted.filter);
    expect([...made.data], `${wanted.filter} ${wanted.width} x ${wanted.height}`).toEqual(wanted.pixels);
  }
});

test.each<Filter>(['bilinear', 'bicubic', 'lanczos'])(
  'a picture that shrinks by %s is within 1/255 of the reference on average',
  async (filter) => {
    for (const [width, height] of [
      [512, 768],
      [333, 517],
    ] as const) {
      const picture = testPicture(width, height);
      for (const bytes of [
        await picture.clone().png().toBuffer(),
        await picture.clone().jpeg({ quality: 95 }).toBuffer(),
        await picture.clone().webp({ lossless: true }).toBuffer(),
      ]) {
        const reference = resample(await readRgb(bytes), 224, 224, filter);
        expect(meanDifference(await readResized(bytes, 224, 224, filter), reference)).toBeLessThan(1);
      }
    }
  },
);

test('a picture that grows, in one direction or both, is the reference to the bit', async () => {
  for (const [width, height] of [
    [100, 80],
    [3, 500],
    [500, 100],
    [1, 1],
  ] as const) {
    const bytes = await testPicture(width, height).png().toBuffer();
    const reference = resample({ width, height, data: testPixels(width, height) }, 224, 224, 'bilinear');
    expect(meanDifference(await readResized(bytes, 224, 224, 'bilinear'), reference)).toBe(0);
  }
});

test('alpha is dropped before resizing, so hidden colours do not bleed or vanish', async () => {
  const pixels = testPixels(300, 260);
  const transparent = Buffer.alloc(300 * 260 * 4);
  for (let i = 0; i < 300 * 260; i++) {
    pixels.copy(transparent, i * 4, i * 3, i * 3 + 3);
    transparent[i * 4 + 3] = i % 256;
  }
  const bytes = await sharp(transparent, { raw: { width: 300, height: 260, channels: 4 } })
    .png()
    .toBuffer();
  const reference = resample({ width: 300, height: 260, data: pixels }, 224, 224, 'bilinear');
  expect(meanDifference(await readResized(bytes, 224, 224, 'bilinear'), reference)).toBe(0);
});

test('a picture is turned as its EXIF orientation says, as in the reference', async () => {
  const jpeg = await testPicture(400, 300).jpeg().toBuffer();
  const turned = await sharp(jpeg)
    .keepExif()
    .withMetadata({ orientation: 6 })
    .jpeg({ quality: 100 })
    .toBuffer();
  const upright = await sharp(jpeg).rotate(90).jpeg({ quality: 100 }).toBuffer();
  const pixels = [
    await readResized(turned, 200, 320, 'bilinear'),
    await readResized(upright, 200, 320, 'bilinear'),
  ] as const;
  expect(meanDifference(...pixels)).toBeLessThan(1);
});

test('normalise crops the middle and writes channel after channel', () => {
  const picture = { width: 3, height: 3, data: Uint8Array.from({ length: 27 }, (_, i) => i) };
  const target = new Float32Array(3);
  const channels = [
    { from: 0, scale: 0.5, shift: -1 },
    { from: 1, scale: 0.25, shift: -1 },
    { from: 2, scale: 0.125, shift: -0.75 },
  ];
  const crop = { width: 1, height: 1, fill: [0, 0, 0], middle: 'down' } as const;
  normalise(picture, { crop, channels, notes: [] }, target);
  expect([...target]).toEqual([12 * 0.5 - 1, (13 * 0.5 - 2) / 2, (14 * 0.5 - 3) / 4]);
});
