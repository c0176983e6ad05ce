import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { draw, drawPreview, sketchTruth, type DrawRequest } from '../drawing/index.js';

const request = (changes: Partial<DrawRequest> = {}): DrawRequest => ({
  prompt: 'a hand',
  negative_prompt: '',
  seed: 7,
  steps: 20,
  width: 64,
  height: 96,
  badRate: 0.5,
  ...changes,
});

const anyRequest = fc.record({
  prompt: fc.string(),
  negative_prompt: fc.string(),
  seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  steps: fc.integer({ min: 1, max: 150 }),
  width: fc.constant(64),
  height: fc.constant(64),
  badRate: fc.double({ min: 0, max: 1, noNaN: true }),
});

const badShare = (changes: Partial<DrawRequest>) =>
  Array.from({ length: 4000 }, (_, seed) => sketchTruth(request({ ...changes, seed }))).filter(
    ({ anatomy }) => anatomy === 'bad',
  ).length / 4000;

describe('drawing', () => {
  it('makes the same picture for the same request, byte for byte', async () => {
    const [first, second] = await Promise.all([draw(request()), draw(request())]);
    expect(second).toEqual(first);
  });

  it('makes another picture for another seed and for another prompt', async () => {
    const { pixels } = await draw(request());
    expect((await draw(request({ seed: 8 }))).pixels).not.toEqual(pixels);
    expect((await draw(request({ prompt: 'a raised hand' }))).pixels).not.toEqual(pixels);
  });

  it.each([
    [64, 64],
    [512, 768],
    [768, 512],
  ])('draws a PNG of %i x %i without metadata', async (width, height) => {
    const { pixels } = await draw(request({ width, height }));
    const read = await sharp(pixels).metadata();
    expect(read).toMatchObject({ format: 'png', width, height, channels: 3 });
    expect(read.comments).toBeUndefined();
    expect(read.exif).toBeUndefined();
  });

  it('draws another hand where the anatomy is bad', async () => {
    const good = await draw(request({ badRate: 0 }));
    const bad = await draw(request({ badRate: 1 }));
    expect(good.truth).not.toHaveProperty('defect');
    expect(bad.truth.defect).toBeDefined();
    expect(bad.pixels).not.toEqual(good.pixels);
  });

  it('previews as a JPEG of at most 128 pixels that gets sharper', async () => {
    const early = await drawPreview(request({ width: 512, height: 768 }), 0.1);
    const late = await drawPreview(request({ width: 512, height: 768 }), 1);
    expect(await sharp(early).metadata()).toMatchObject({ format: 'jpeg', width: 85, height: 128 });
    const { channels: blurred } = await sharp(early).stats();
    const { channels: crisp } = await sharp(late).stats();
    expect(crisp[0]!.stdev).toBeGreaterThan(blurred[0]!.stdev);
  });
});

describe('truth', () => {
  it('is what the drawing says it is', async () => {
    for (const seed of [1, 2, 3, 4]) {
      const { truth } = await draw(request({ seed }));
      expect(truth).toEqual(sketchTruth(request({ seed })));
    }
  });

  it('puts anatomy and style into the label, and a defect only on bad anatomy', () => {
    fc.assert(
      fc.property(anyRequest, (any) => {
        const { anatomy, style, label, defect } = sketchTruth(any);
        expect(label).toBe(
          `${style === 'realistic' ? 'Realistic' : 'Unrealistic'}_${anatomy === 'bad' ? 'Bad' : 'Good'}_Anatomy`,
        );
        expect(defect !== undefined).toBe(anatomy === 'bad');
      }),
    );
  });

  it('is never bad at rate 0 and always at rate 1', () => {
    fc.assert(
      fc.property(anyRequest, (any) => {
        expect(sketchTruth({ ...any, badRate: 0 }).anatomy).toBe('good');
        expect(sketchTruth({ ...any, badRate: 1 }).anatomy).toBe('bad');
      }),
    );
  });

  it('never gets worse by more steps or a warning negative prompt', () => {
    fc.assert(
      fc.property(anyRequest, (any) => {
        const careful = { ...any, steps: any.steps + 20, negative_prompt: 'extra fingers, bad anatomy' };
        fc.pre(sketchTruth(any).anatomy === 'good');
        expect(sketchTruth(careful).anatomy).toBe('good');
      }),
    );
  });

  it('is bad as often as asked for, a little less with more steps and with the right negative prompt', () => {
    expect(badShare({})).toBeCloseTo(0.5, 1);
    expect(badShare({ steps: 30 })).toBeCloseTo(0.425, 1);
    expect(badShare({ steps: 30 })).toBeLessThan(badShare({}));
    expect(badShare({ negative_prompt: 'blurry, fused fingers' })).toBeLessThan(badShare({}));
    expect(badShare({ negative_prompt: 'blurry' })).toBe(badShare({}));
  });

  it.each([
    ['a photo of a hand', 'realistic'],
    ['film still, a hand', 'realistic'],
    ['a hand, photorealistic', 'realistic'],
    ['anime girl waving', 'unrealistic'],
    ['a hand, glossy 3d render', 'unrealistic'],
  ])('takes the style from the prompt: %s', (prompt, style) => {
    for (const seed of [1, 2, 3, 4, 5]) expect(sketchTruth(request({ prompt, seed })).style).toBe(style);
  });

  it('takes the style from the seed where the prompt does not say', () => {
    const styles = new Set([1, 2, 3, 4, 5, 6, 7, 8].map((seed) => sketchTruth(request({ seed })).style));
    expect(styles).toEqual(new Set(['realistic', 'unrealistic']));
  });
});
