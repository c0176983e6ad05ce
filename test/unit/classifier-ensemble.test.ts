import fc from 'fast-check';
import { expect, test } from 'vitest';
import { combineScores, ensemble, type Classifier } from '../../src/classifier/index.js';
import type { Scores } from '../../src/base/scores.js';
import { ConfigError } from '../../src/errors.js';
import { scoresOf } from '../support/scores.js';

/** Says the same of every image, and counts how often it was closed. */
function fixed(name: string, scores: Scores): Classifier & { closed: number } {
  return {
    closed: 0,
    model: { name, revision: `${name}-1`, dtype: 'fp32' },
    labels: scores.map(({ label }) => label),
    classify: () => Promise.resolve(scores),
    close() {
      this.closed++;
      return Promise.resolve();
    },
  };
}

const sure = scoresOf({ bad: 0.75, good: 0.25 });
const unsure = scoresOf({ bad: 0.25, good: 0.75 });
const middling = scoresOf({ bad: 0.5, good: 0.5 });

test('mean and max go label by label, most probable first', () => {
  expect(combineScores([sure, unsure, sure, sure], 'mean', 'both')).toEqual([
    { label: 'bad', score: 0.625 },
    { label: 'good', score: 0.375 },
  ]);
  expect(combineScores([middling, unsure], 'max', 'both')).toEqual([
    { label: 'good', score: 0.75 },
    { label: 'bad', score: 0.5 },
  ]);
});

test('the mean lies between the least and the largest, max is the largest, and neither minds the order of models', () => {
  const score = fc.double({ min: 0, max: 1, noNaN: true });
  const scores = fc.tuple(score, score, score).map(([a, b, c]) => scoresOf({ a, b, c }));
  fc.assert(
    fc.property(fc.array(scores, { minLength: 1, maxLength: 4 }), (models) => {
      const of = (all: Scores, wanted: string) => all.find(({ label }) => label === wanted)!.score;
      const mean = combineScores(models, 'mean', 'all');
      const max = combineScores(models, 'max', 'all');
      const reversed = combineScores([...models].reverse(), 'mean', 'all');
      for (const label of ['a', 'b', 'c']) {
        const own = models.map((model) => of(model, label));
        expect(of(max, label)).toBe(Math.max(...own));
        expect(of(mean, label)).toBeGreaterThanOrEqual(Math.min(...own) - 1e-12);
        expect(of(mean, label)).toBeLessThanOrEqual(Math.max(...own) + 1e-12);
        expect(of(reversed, label)).toBeCloseTo(of(mean, label), 12);
      }
      for (const combined of [mean, max]) {
        expect(combined.map(({ score }) => score)).toEqual(
          combined.map(({ score }) => score).sort((a, b) => b - a),
        );
      }
    }),
  );
});

test('one model is itself; several are one classifier that names and closes them all', async () => {
  const [first, second] = [fixed('first', sure), fixed('second', unsure)];
  expect(ensemble([first], 'mean')).toBe(first);
  const both = ensemble([first, second], 'mean');
  expect(both.model).toEqual({
    name: 'mean of first, second',
    revision: 'first-1+second-1',
    dtype: 'fp32+fp32',
  });
  expect(await both.classify('any.png')).toEqual([
    { label: 'bad', score: 0.5 },
    { label: 'good', score: 0.5 },
  ]);
  await both.close();
  expect([first.closed, second.closed]).toEqual([1, 1]);
});

test('models that do not know the same labels do not judge together', () => {
  const other = fixed('cats', scoresOf({ cat: 1 }));
  const join = () => ensemble([fixed('hands', sure), other], 'max');
  expect(join).toThrow(ConfigError);
  expect(join).toThrow(/hands knows bad, good; cats knows cat\. Take one of them out\./);
});
