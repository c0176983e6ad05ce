import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seedFor } from '../../src/loop/index.js';
import { Renderer } from '../../src/pipeline/render.js';
import { parseTemplate } from '../../src/pipeline/template.js';
import { Wildcards } from '../../src/pipeline/wildcards.js';

const render = (text: string, seed = 1) =>
  new Renderer(new Wildcards(undefined), seed).render(parseTemplate(text));
const all = (text: string) =>
  [...new Set(Array.from({ length: 300 }, (_, seed) => render(text, seedFor(1, seed, 0))))].sort();

describe('choices', () => {
  test.each([
    ['{a|b}', ['a', 'b']],
    ['x{|y}', ['x', 'xy']],
    ['{a|{b|c} d}', ['a', 'b d', 'c d']],
    ['{0::a|b}', ['b']],
    ['{ 2::a|1.5::b}', ['a', 'b']],
    ['{a\\|b|c}', ['a|b', 'c']],
    ['{[cow|horse]|pig}', ['[cow|horse]', 'pig']],
    ['{[cow|horse}', ['[cow', 'horse']],
    ['{1::2::a|1::2::a}', ['2::a']],
    ['{.5::a|0.::b}', ['a']],
    ['{2 ::a|0::b}', ['a']],
  ])('%s', (text, expected) => {
    expect(all(text)).toEqual(expected);
  });

  test('follow their weights', () => {
    const times = 20_000;
    const reds = Array.from({ length: times }, (_, seed) =>
      render('{3::red|blue}', seedFor(1, seed, 0)),
    ).filter((text) => text === 'red').length;
    expect(reds / times).toBeGreaterThan(0.72);
    expect(reds / times).toBeLessThan(0.78);
  });
});

describe("the servers' own syntax passes untouched", () => {
  test.each([
    '(hand:1.2), ((hand)), [hand]',
    '[day:night:0.5] [cow|horse] a | b',
    String.raw`hatsune miku \(vocaloid\) \[x\] \\ C:\path`,
    '<lora:add_detail:0.8> <lyco:a-b:1:0.5> BREAK AND',
    'snake_case_word _ __ ___ ____ __ a __',
    'easy__negative 2::3 $5 100% #1 ~ `"quotes"`',
  ])('%s', (text) => {
    expect(render(text)).toBe(text);
  });
});

test('escaped characters become themselves', () => {
  expect(render(String.raw`\{a|b\} \__city__ \_\_x\_\_ \(y\)`)).toBe(String.raw`{a|b} __city__ __x__ \(y\)`);
});

test('any text can be written by escaping its braces and underscores', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', '\\', '{', '}', '|', '_', '[', ']', ':', ' ', '2', '<', '(') }),
      (text) => {
        expect(render(text.replace(/[{}_]/g, '\\$&'))).toBe(text);
      },
    ),
  );
});

test('any text can be an option by escaping its pipes too and giving it a weight', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', '\\', '{', '}', '|', '_', '[', ']', ':', ' ', '2', '<') }),
      (text) => {
        // A backslash at the very end would escape the brace after it.
        fc.pre(!text.endsWith('\\'));
        expect(render(`{1::${text.replace(/[{}_|]/g, '\\$&')}|0::}`)).toBe(text);
      },
    ),
  );
});

test('nothing that was syntax is left, whatever is nested in what', () => {
  const { template } = fc.letrec<{ template: string }>((tie) => ({
    template: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom('hand', 'soft light', '(x:1.2)', ''),
      fc.array(tie('template'), { minLength: 2, maxLength: 4 }).map((options) => `{${options.join('|')}}`),
      fc
        .tuple(fc.integer({ min: 1, max: 9 }), tie('template'))
        .map(([weight, text]) => `{${weight}::${text}|b}`),
      fc.tuple(tie('template'), tie('template')).map(([a, b]) => `${a} ${b}`),
    ),
  }));
  fc.assert(
    fc.property(template, fc.nat(), (text, seed) => {
      expect(render(text, seed)).not.toMatch(/[{}|]|::/);
      expect(render(text, seed)).toBe(render(text, seed));
    }),
  );
});

test('any text at all is either rendered or refused with a reason, quickly', () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 200, unit: fc.constantFrom('{', '}', '|', '[', ']', '\\', '_', ':', '1', 'a') }),
      (text) => {
        try {
          render(text.replaceAll('__', '_'));
        } catch (error) {
          expect(error).toMatchObject({ name: 'ConfigError' });
        }
      },
    ),
  );
  expect(render('['.repeat(100_000))).toHaveLength(100_000);
  expect(() => render('{'.repeat(100_000))).toThrow('nested deeper than 50');
});
