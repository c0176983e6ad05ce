import exifr from 'exifr';
import fc from 'fast-check';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { addText, readTexts, readTruth } from '../png.js';

const background = { r: 90, g: 120, b: 30 };
const png = await sharp({ create: { width: 8, height: 8, channels: 3, background } })
  .png()
  .toBuffer();

it('reads back any text that it wrote, and leaves the pixels alone', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.string(), async (first, second) => {
      const marked = addText(png, { parameters: first, sketch: second });
      expect(Object.fromEntries(readTexts(marked))).toEqual({ parameters: first, sketch: second });
      expect(await sharp(marked).raw().toBuffer()).toEqual(await sharp(png).raw().toBuffer());
    }),
    { numRuns: 50 },
  );
});

it('writes tEXt where Latin-1 suffices and iTXt elsewhere, as other readers see', async () => {
  const latin = addText(png, { parameters: 'plain, überall' });
  const wide = addText(png, { parameters: 'hand ✋' });
  expect(latin.includes('tEXtparameters\0')).toBe(true);
  expect(wide.includes('iTXtparameters\0')).toBe(true);
  const ascii = addText(png, { parameters: 'plain' });
  expect(await exifr.parse(ascii, { ihdr: true })).toMatchObject({ parameters: 'plain' });
  expect((await sharp(wide).metadata()).comments).toContainEqual({ keyword: 'parameters', text: 'hand ✋' });
});

it('finds no truth in pictures of another origin, in cut-off ones, or in foreign chunks', () => {
  expect(readTruth(png)).toBeUndefined();
  expect(readTruth(Buffer.from('no picture'))).toBeUndefined();
  expect(readTruth(addText(png, { sketch: 'not JSON' }))).toBeUndefined();
  const marked = addText(png, { sketch: '{"seed":1}' });
  for (let length = 0; length < marked.length; length++) readTexts(marked.subarray(0, length));
  expect(readTruth(marked.subarray(0, marked.length - 20))).toEqual({ seed: 1 });
});
