import { expect, test } from 'vitest';
import { plural } from '../../src/base/plural.js';

test('one is one, and everything else is many', () => {
  expect([0, 1, 2].map((count) => plural(count, 'shot'))).toEqual(['0 shots', '1 shot', '2 shots']);
  expect(plural(1200, 'shot', (count) => count.toLocaleString('en-US'))).toBe('1,200 shots');
});
