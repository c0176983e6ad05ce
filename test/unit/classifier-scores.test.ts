import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkScores } from '../../src/base/scores.js';
import { ModelError } from '../../src/errors.js';
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

const scored = (labels: string[], independent = false) => ({ model: 'mine', labels, independent });

test('every label is scored, most probable first, equals in the order of the model', () => {
  expect(labelScores(scored(['a', 'b', 'c']), [0, 1000, 0])).toEqual([
    { label: 'b', score: 1 },
    { label: 'a', score: 0 },
    { label: 'c', score: 0 },
  ]);
  expect(labelScores(scored(['a', 'b'], true), [0, 0])).toEqual([
    { label: 'a', score: 0.5 },
    { label: 'b', score: 0.5 },
  ]);
});

test('an answer that is no finite number for each label is no score, whatever it would become', () => {
  for (const independent of [false, true]) {
    for (const wrong of [NaN, Infinity, -Infinity]) {
      const answer = () => labelScores(scored(['a', 'b'], independent), [0, wrong]);
      expect(answer).toThrow(ModelError);
      expect(answer).toThrow(/the model mine cannot judge: it answers .*, which is no score/);
    }
    for (const answer of [[], [1], [1, 2, 3]]) {
      expect(() => labelScores(scored(['a', 'b'], independent), answer)).toThrow(/mine gives \d scores?, /);
    }
  }
});

test('probabilities lie between 0 and 1, and sum to 1 where labels exclude each other', () => {
  const check = (scores: number[], exclusive: boolean) =>
    checkScores(
      scores.map((score, index) => ({ label: `l${index}`, score })),
      { model: 'mine', exclusive },
    );
  expect(check([0.25, 0.75], true)).toEqual([
    { label: 'l1', score: 0.75 },
    { label: 'l0', score: 0.25 },
  ]);
  expect(check([1, 0.75], false)).toHaveLength(2);
  for (const sum of [
    [1, 0.75],
    [0.4, 0.5],
    [0, 0],
  ]) {
    expect(() => check(sum, true)).toThrow(/mine cannot judge: its probabilities sum to .*, not to 1/);
  }
  for (const outside of [NaN, -1e-9, 1 + 1e-9, Infinity]) {
    for (const exclusive of [false, true]) {
      expect(() => check([outside, 0.5], exclusive)).toThrow(/mine cannot judge: it gives l0 a score of/);
    }
  }
});
