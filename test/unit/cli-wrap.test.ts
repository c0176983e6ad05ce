import fc from 'fast-check';
import { expect, test } from 'vitest';
import { wrap } from '../../src/cli/wrap.js';

test('lines are broken between words, a long word wherever it must', () => {
  expect(wrap('  ! one two three', 10, '    ')).toEqual(['  ! one', '    two', '    three']);
  expect(wrap('short', 10)).toEqual(['short']);
  expect(wrap('abcdefghij', 4)).toEqual(['abcd', 'efgh', 'ij']);
});

test('no letter is lost, and no line is longer than asked for', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.integer({ min: 5, max: 40 }),
      fc.integer({ min: 0, max: 4 }),
      (text, width, indent) => {
        const lines = wrap(text, width, ' '.repeat(indent));
        expect(lines.every((line) => line.length <= width)).toBe(true);
        expect(lines.join('').replace(/ /g, '')).toBe(text.replace(/ /g, ''));
      },
    ),
  );
});
