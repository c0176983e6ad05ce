import fc from 'fast-check';
import { expect, test } from 'vitest';
import { labelScores, sigmoid, softmax } from '../../src/classifier/index.js';

const logits = fc.array(fc.float({ min: -1000, max: 1000, noNaN: true }), { minLength: 1, maxLength: 10 });

test('softmax gives probabilities that sum to 1 and keep the order, however large the logits', () => {
  fc.assert(
    fc.property(logits, (values) => {
      const probabilities = softmax(values);
      expect(probabilities.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 9);
      expect(probabilities.every((value) => value >= 0 && value <= 1)).toBe(true);
      expect(probabilities.indexOf(Math.max(...probabilities))).toBeDefined();
      for (const [i, a] of values.entries()) {
        for (const [j, b] of values.entries())
          if (a > b) expect(probabilities[i]).toBeGreaterThanOrEqual(probabilities[j]!);
      }
    }),
  );
  expect(softmax([Math.log(1), Math.log(3)])).toEqual([expect.closeTo(0.25, 12), expect.closeTo(0.75, 12)]);
});

test('sigmoid judges each label by itself', () => {
  expect(sigmoid([0, Math.log(3), -1000, 1000])).toEqual([0.5, expect.closeTo(0.75, 12), 0, 1]);
});

test('every label is scored, most probable first, equals in the order of the model', () => {
  expect(labelScores(['a', 'b', 'c'], [0, 1000, 0], false)).toEqual([
    { label: 'b', score: 1 },
    { label: 'a', score: 0 },
    { label: 'c', score: 0 },
  ]);
  expect(labelScores(['a', 'b'], [0, 0], true)).toEqual([
    { label: 'a', score: 0.5 },
    { label: 'b', score: 0.5 },
  ]);
});
