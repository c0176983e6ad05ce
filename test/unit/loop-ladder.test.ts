import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planAttempt, rungOf, seedFor, type ImageRequest, type Rung } from '../../src/loop/index.js';

const first: ImageRequest = {
  prompt: 'a hand',
  negative_prompt: 'blurry',
  seed: 7,
  width: 512,
  height: 512,
  steps: 20,
  cfg_scale: 6,
};
const seedOf = (attempt: number) => 1000 + attempt;
const plan = (ladder: Rung[], number: number) => planAttempt(first, ladder, number, seedOf, []).request;
const newSeed: Rung = { kind: 'new_seed' };

describe('the ladder', () => {
  it('leaves the first attempt as the pipeline asks', () => {
    expect(plan([newSeed], 1)).toEqual(first);
  });

  it('climbs a rung with each attempt and repeats the last', () => {
    const second: Rung = { kind: 'adjust', adjust: { steps: 30 } };
    expect([2, 3, 4, 9].map((number) => rungOf([newSeed, second], number))).toEqual([
      newSeed,
      second,
      second,
      second,
    ]);
  });

  it('stays on a rung as often as its times say', () => {
    const last: Rung = { kind: 'adjust', adjust: { steps: 30 } };
    const ladder: Rung[] = [{ kind: 'new_seed', times: 2 }, last];
    expect([2, 3, 4].map((number) => rungOf(ladder, number) === last)).toEqual([false, false, true]);
  });

  it('keeps drawing new seeds once a rung drew one', () => {
    const ladder: Rung[] = [newSeed, { kind: 'adjust', adjust: { steps: 30 } }];
    expect([2, 3, 4].map((number) => plan(ladder, number).seed)).toEqual([1002, 1003, 1004]);
  });

  it('adds up relative numbers, within what servers take', () => {
    const ladder: Rung[] = [{ kind: 'adjust', adjust: { cfg_scale: '+1', steps: '*1.5', height: '-500' } }];
    expect(plan(ladder, 2)).toMatchObject({ cfg_scale: 7, steps: 30, height: 64 });
    expect(plan(ladder, 3)).toMatchObject({ cfg_scale: 8, steps: 45 });
    expect(plan(ladder, 300)).toMatchObject({ cfg_scale: 100, steps: 500 });
  });

  it('lets a change of what is left out wait for the value that the server’s side has', () => {
    expect(plan([{ kind: 'adjust', adjust: { clip_skip: '+1', steps: 30 } }], 2)).toStrictEqual({
      ...first,
      steps: 30,
      adjust: [{ clip_skip: '+1' }],
    });
  });

  it('appends, prepends and replaces prompts, and repeats no word that is there', () => {
    const ladder: Rung[] = [
      { kind: 'adjust', adjust: { negative_prompt_append: 'extra fingers', prompt_prepend: 'sharp' } },
      { kind: 'adjust', adjust: { prompt_replace: 'one open hand' } },
    ];
    expect(plan(ladder, 2)).toMatchObject({
      prompt: 'sharp, a hand',
      negative_prompt: 'blurry, extra fingers',
    });
    expect(plan(ladder, 5)).toMatchObject({
      prompt: 'one open hand',
      negative_prompt: 'blurry, extra fingers',
    });
  });

  it('appends to an empty prompt without a stray comma', () => {
    const empty = { ...first, negative_prompt: '' };
    const ladder: Rung[] = [{ kind: 'adjust', adjust: { negative_prompt_append: 'fused fingers' } }];
    expect(planAttempt(empty, ladder, 2, seedOf, []).request.negative_prompt).toBe('fused fingers');
  });

  it('hands a repair on with a seed of its own', () => {
    const repair = { with: 'adetailer' } as const;
    expect(planAttempt(first, [{ kind: 'repair', repair }], 2, seedOf, [])).toEqual({
      request: { ...first, seed: 1002 },
      repair,
    });
  });

  it('makes a new image after a repair that changed nothing, and repairs that one', () => {
    const ladder: Rung[] = [{ kind: 'repair', repair: { with: 'adetailer' } }];
    const repairs = (unchanged: number[]) =>
      [1, 2, 3, 4, 5].filter((number) => planAttempt(first, ladder, number, seedOf, unchanged).repair);
    expect(repairs([])).toEqual([2, 3, 4, 5]);
    expect(repairs([2])).toEqual([2, 4, 5]);
    expect(repairs([2, 4])).toEqual([2, 4]);
    expect(planAttempt(first, ladder, 3, seedOf, [2])).toEqual({ request: { ...first, seed: 1003 } });
  });

  it('never asks for the same image twice', () => {
    const rung = fc.oneof(
      fc.constant<Rung>({ kind: 'new_seed' }),
      fc.constant<Rung>({ kind: 'adjust', adjust: { steps: 20 } }),
      fc.constant<Rung>({ kind: 'adjust', adjust: { cfg_scale: '+1' } }),
      fc.constant<Rung>({ kind: 'adjust', adjust: { cfg_scale: '-1' } }),
      fc.constant<Rung>({ kind: 'adjust', adjust: { prompt_append: 'x' } }),
    );
    fc.assert(
      fc.property(
        fc.array(rung, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 2, max: 12 }),
        (ladder, number) => {
          const seen = new Set<string>();
          for (let attempt = 1; attempt <= number; attempt++) seen.add(JSON.stringify(plan(ladder, attempt)));
          expect(seen.size).toBe(number);
        },
      ),
    );
  });
});

describe('seeds', () => {
  it('are the same for the same run seed, shot and attempt, and differ otherwise', () => {
    const seeds = new Set<number>();
    for (let shot = 1; shot <= 50; shot++) {
      for (let attempt = 1; attempt <= 4; attempt++) seeds.add(seedFor(1, shot, attempt));
    }
    expect(seeds.size).toBe(200);
    expect(seedFor(1, 2, 3)).toBe(seedFor(1, 2, 3));
    expect(seedFor(1, 2, 3)).not.toBe(seedFor(2, 2, 3));
  });
});
