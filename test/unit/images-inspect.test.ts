import sharp from 'sharp';
import { expect, test } from 'vitest';
import { ImageError } from '../../src/errors.js';
import { addTextChunk, inspectImage, Pictures, samePixels } from '../../src/images/index.js';
import { bombPng, pngChunk, testPicture } from '../support/pictures.js';

const refused = async (bytes: Buffer): Promise<string> => {
  const error: unknown = await inspectImage(bytes).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ImageError);
  return (error as ImageError).message;
};

test('a PNG, a JPEG and a WebP say their size and format', async () => {
  const picture = testPicture(64, 48);
  expect(await inspectImage(await picture.clone().png().toBuffer())).toMatchObject({
    width: 64,
    height: 48,
    format: 'png',
  });
  expect(await inspectImage(await picture.clone().jpeg().toBuffer())).toMatchObject({
    width: 64,
    height: 48,
    format: 'jpeg',
  });
  expect(await inspectImage(await picture.clone().webp().toBuffer())).toMatchObject({
    width: 64,
    height: 48,
    format: 'webp',
  });
});

test('grey, palette, transparent and 16-bit PNGs pass', async () => {
  const picture = testPicture(64, 48);
  for (const variant of [
    picture.clone().greyscale().png(),
    picture.clone().png({ palette: true }),
    picture.clone().ensureAlpha(0.5).png(),
    picture.clone().toColourspace('rgb16').png(),
  ]) {
    expect(await inspectImage(await variant.toBuffer())).toMatchObject({ width: 64, height: 48 });
  }
});

test.each(['png', 'jpeg', 'webp'] as const)('a %s that is cut anywhere is refused', async (format) => {
  const bytes = await testPicture(64, 64).toFormat(format).toBuffer();
  for (const share of [0.01, 0.1, 0.5, 0.9, 0.99]) {
    await refused(bytes.subarray(0, Math.floor(bytes.length * share)));
  }
  if (format === 'png') expect(await refused(bytes.subarray(0, -12))).toContain('truncated');
});

test('a PNG with a damaged byte among its pixels is refused', async () => {
  const bytes = await testPicture(64, 64).png().toBuffer();
  bytes[bytes.indexOf('IDAT') + 200]! ^= 0x55;
  expect(await refused(bytes)).toContain('corrupt');
});

test('a black picture is refused, whatever its format', async () => {
  const black = sharp({ create: { width: 64, height: 64, channels: 3, background: '#000' } });
  expect(await refused(await black.clone().png().toBuffer())).toMatch(/^black image: .*safety filter/);
  expect(await refused(await black.clone().jpeg().toBuffer())).toContain('black image');
  expect(await refused(await black.clone().ensureAlpha().png().toBuffer())).toContain('black image');
});

test.each([
  ['#808080', '#808080'],
  ['#fff', 'white'],
  ['#12a0fe', '#12a0fe'],
])('a picture of one colour is refused, whatever the colour: %s', async (background, name) => {
  const flat = sharp({ create: { width: 64, height: 48, channels: 3, background } });
  expect(await refused(await flat.clone().png().toBuffer())).toMatch(`${name} image: every pixel`);
  expect(await refused(await flat.clone().jpeg({ quality: 60 }).toBuffer())).toMatch(/ image: every pixel/);
  expect(await refused(await flat.clone().webp({ quality: 80 }).toBuffer())).toMatch(/ image: every pixel/);
  expect(await refused(await flat.clone().greyscale().png().toBuffer())).toMatch(/ image: every pixel/);
  const dot = { input: Buffer.from([1, 2, 3]), raw: { width: 1, height: 1, channels: 3 as const } };
  const dotted = flat.composite([{ ...dot, left: 63, top: 47 }]);
  expect(await inspectImage(await dotted.png().toBuffer())).toMatchObject({ width: 64 });
});

test('pictures of the same pixels are known by them, whatever their files say', async () => {
  const picture = testPicture(64, 48);
  const png = await picture.clone().png().toBuffer();
  const [one, other, another] = await Promise.all(
    [png, addTextChunk(png, 'parameters', 'Seed: 2'), await testPicture(64, 49).png().toBuffer()].map(
      inspectImage,
    ),
  );
  expect(one!.pixels).toBe(other!.pixels);
  expect(another!.pixels).not.toBe(one!.pixels);
});

test('the same picture for another seed has a twin, and a picture sent again for its own seed has none', () => {
  const pictures = new Pictures();
  expect(pictures.seedOfTwin('pixels', 1)).toBeUndefined();
  expect(pictures.seedOfTwin('pixels', 1)).toBeUndefined();
  expect(pictures.seedOfTwin('others', 2)).toBeUndefined();
  expect(pictures.seedOfTwin('pixels', 3)).toBe(1);
});

test('a dark picture with one star in it is no black picture', async () => {
  const pixels = Buffer.alloc(64 * 64 * 3);
  pixels[5000] = 200;
  const bytes = await sharp(pixels, { raw: { width: 64, height: 64, channels: 3 } })
    .png()
    .toBuffer();
  expect(await inspectImage(bytes)).toMatchObject({ width: 64 });
});

test('a 40,000 x 40,000 PNG is refused before it is decoded', async () => {
  expect(await refused(bombPng(40_000, 40_000))).toMatch(/^40000 x 40000 pixels: larger than/);
});

test('0 bytes, 1 x 1, HTML, GIF and animations are refused in plain words', async () => {
  expect(await refused(Buffer.alloc(0))).toBe('empty file: 0 bytes.');
  expect(await refused(await testPicture(1, 1).png().toBuffer())).toContain('too small');
  expect(await refused(Buffer.from('<!doctype html><title>502</title>'))).toContain('not a picture');
  const frames = testPicture(16, 32).clone();
  const raw = await frames.raw().toBuffer();
  const animation = sharp(raw, { raw: { width: 16, height: 32, channels: 3, pageHeight: 16 } });
  expect(await refused(await animation.clone().gif().toBuffer())).toContain('GIF');
  expect(await refused(await animation.clone().webp().toBuffer())).toContain('animated');
});

test('an animated PNG is refused: decoders show its first picture alone', async () => {
  const plain = await testPicture(64, 64).png().toBuffer();
  const frames = pngChunk('acTL', Buffer.from([0, 0, 0, 2, 0, 0, 0, 0]));
  const at = plain.indexOf('IDAT') - 4;
  expect(await refused(Buffer.concat([plain.subarray(0, at), frames, plain.subarray(at)]))).toMatch(
    /animated/,
  );
});

test('pictures are the same where every pixel is, whatever their text says', async () => {
  const picture = testPicture(64, 48);
  const png = await picture.clone().png().toBuffer();
  const smaller = await picture.clone().png({ compressionLevel: 9 }).toBuffer();
  expect(await samePixels(png, addTextChunk(smaller, 'parameters', 'Steps: 1'))).toBe(true);
  const dot = { input: Buffer.from([1, 2, 3]), raw: { width: 1, height: 1, channels: 3 as const } };
  const touched = await sharp(png)
    .composite([{ ...dot, left: 60, top: 40 }])
    .png()
    .toBuffer();
  expect(await samePixels(png, touched)).toBe(false);
});
