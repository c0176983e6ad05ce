import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adjust } from '../../src/loop/adjust.js';
import { settle, type Adjust, type ImageRequest } from '../../src/loop/index.js';

const bare: ImageRequest = { prompt: 'a hand', seed: 7 };
const own = { negative_prompt: 'blurry', width: 1024, height: 768, steps: 4, cfg_scale: 1.5, clip_skip: 2 };

const number = fc.oneof(
  fc.tuple(fc.constantFrom('+', '-', '*'), fc.integer({ min: 0, max: 30 })).map(([how, by]) => `${how}${by}`),
  fc.integer({ min: 1, max: 40 }),
);
const changes: fc.Arbitrary<Adjust[]> = fc.array(
  fc.dictionary(fc.constantFrom('steps', 'cfg_scale', 'clip_skip', 'width'), number),
  { maxLength: 6 },
);
const words = fc.array(
  fc.dictionary(
    fc.constantFrom(
      'negative_prompt_append',
      'negative_prompt_prepend',
      'negative_prompt_replace',
      'negative_prompt',
    ),
    fc.constantFrom('fused', 'extra fingers', 'blurry', ''),
  ),
  { maxLength: 6 },
);
const applied = (request: ImageRequest, all: readonly Adjust[]) => all.reduce(adjust, request);

describe('a change of what is left out', () => {
  it('comes to the same as if the pipeline had said what the server’s side has', () => {
    fc.assert(
      fc.property(fc.oneof(changes, words), (all) => {
        expect(settle(applied(bare, all), own)).toEqual(applied({ ...own, ...bare }, all));
      }),
    );
  });

  it('waits in order, and is forgotten where a value is set', () => {
    const twice = applied(bare, [{ cfg_scale: '+1' }, { cfg_scale: '*2', negative_prompt_append: 'fused' }]);
    expect(twice.adjust).toEqual([
      { cfg_scale: '+1' },
      { cfg_scale: '*2' },
      { negative_prompt_append: 'fused' },
    ]);
    expect(adjust(twice, { cfg_scale: 6 })).toEqual({
      ...bare,
      cfg_scale: 6,
      adjust: [{ negative_prompt_append: 'fused' }],
    });
    expect(applied(twice, [{ cfg_scale: 6 }, { negative_prompt_replace: 'fused' }])).not.toHaveProperty(
      'adjust',
    );
  });

  it('by the same words changes nothing more, so that the next attempt draws a new seed', () => {
    const once = adjust(bare, { negative_prompt_append: 'fused' });
    expect(adjust(once, { negative_prompt_append: 'fused' })).toEqual(once);
  });

  it('stays where the server’s side has no value either', () => {
    expect(settle(adjust(bare, { denoising_strength: '+0.1', steps: '+1' }), own)).toEqual({
      ...own,
      ...bare,
      steps: 5,
      adjust: [{ denoising_strength: '+0.1' }],
    });
  });
});
