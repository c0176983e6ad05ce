import fc from 'fast-check';
import { expect, it } from 'vitest';
import { differences } from '../../src/pipeline/index.js';

it('names the keys at which two pipelines differ', () => {
  const before = {
    seed: 1,
    retry: { attempts: 2, ladder: ['new_seed'] },
    prompts: [{ text: 'a' }],
    gate: {},
  };
  const now = {
    retry: { attempts: 3, ladder: ['new_seed', 'new_seed'] },
    prompts: { text: 'a' },
    gate: {},
    name: 'x',
  };
  expect(differences(before, now, [])).toEqual([
    'seed (gone)',
    'retry.attempts',
    'retry.ladder.1 (new)',
    'prompts',
    'name (new)',
  ]);
  expect(differences(before, now, ['retry.attempts', 'prompts.0.text', 'seed'])).toEqual([
    'retry.ladder.1 (new)',
    'name (new)',
  ]);
  expect(differences(before, now, ['retry'])).not.toContain('retry.ladder.1 (new)');
});

it('finds none between equals, and some between others', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
      expect(differences(one as never, structuredClone(one) as never, [])).toEqual([]);
      const isEqual = JSON.stringify(one) === JSON.stringify(other);
      if (!isEqual && JSON.stringify(one).length !== JSON.stringify(other).length)
        expect(differences(one as never, other as never, [])).not.toEqual([]);
    }),
  );
});
