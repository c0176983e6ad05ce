import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { constantRules, idleRules, judge, type GateRule, type Scores } from '../../src/loop/index.js';
import { scoresOf } from '../support/scores.js';

const scores = (bad: number, good = 1 - bad) =>
  scoresOf({
    Realistic_Bad_Anatomy: bad / 2,
    Unrealistic_Bad_Anatomy: bad / 2,
    Realistic_Good_Anatomy: good,
  });
const badAnatomy: GateRule = { kind: 'share', labels: ['*Bad_Anatomy'], threshold: 0.5 };

describe('the gate', () => {
  it('sums the probabilities of all labels that a glob matches', () => {
    const verdict = judge([badAnatomy], scores(0.6));
    expect(verdict.decision).toBe('reject');
    expect(verdict.rejected).toBeCloseTo(0.6);
    expect(verdict.rule).toBe('*Bad_Anatomy 0.6 >= 0.5');
  });

  it('rejects at the threshold itself and accepts just below', () => {
    expect(judge([badAnatomy], scores(0.5)).decision).toBe('reject');
    expect(judge([badAnatomy], scores(0.4999)).decision).toBe('accept');
  });

  it('rejects by the most probable label where a rule says when: top', () => {
    const top: GateRule = { kind: 'top', labels: ['*Bad_Anatomy'] };
    const barely = scoresOf({
      Realistic_Bad_Anatomy: 0.4,
      Realistic_Good_Anatomy: 0.35,
      Unrealistic_Good_Anatomy: 0.25,
    });
    expect(judge([top], barely)).toMatchObject({ decision: 'reject', rule: '*Bad_Anatomy on top' });
    expect(judge([top], scores(0.6)).decision).toBe('accept');
  });

  it('needs both conditions where a rule names a threshold and when: top', () => {
    const both: GateRule = { kind: 'top', labels: ['Realistic_Bad_Anatomy'], threshold: 0.3 };
    expect(judge([both], scores(0.62)).decision).toBe('accept');
    expect(judge([both], scoresOf({ Realistic_Bad_Anatomy: 0.9 })).decision).toBe('reject');
  });

  it('puts a candidate aside for review between the band and the threshold', () => {
    const banded: GateRule = { ...badAnatomy, review: 0.3 };
    expect(judge([banded], scores(0.29)).decision).toBe('accept');
    expect(judge([banded], scores(0.3)).decision).toBe('review');
    expect(judge([banded], scores(0.5)).decision).toBe('reject');
  });

  it('lets one rule that rejects beat another that asks for review', () => {
    const rules: GateRule[] = [
      { kind: 'share', labels: ['*Bad_Anatomy'], threshold: 0.9, review: 0.1 },
      { kind: 'share', labels: ['Realistic_*'], threshold: 0.5 },
    ];
    expect(judge(rules, scores(0.4))).toMatchObject({ decision: 'reject', rule: 'Realistic_* 0.8 >= 0.5' });
  });

  it('counts a label once even if several rules name it', () => {
    expect(judge([badAnatomy, badAnatomy], scores(0.4)).rejected).toBeCloseTo(0.4);
  });

  it('finds rules that no label of the model can fire', () => {
    const labels = scores(0.5).map(({ label }) => label);
    expect(idleRules([badAnatomy, { kind: 'share', labels: ['Bad_Hands'], threshold: 0.5 }], labels)).toEqual(
      [{ kind: 'share', labels: ['Bad_Hands'], threshold: 0.5 }],
    );
  });

  it('finds rules that fire on every picture: `when: top` of a single label', () => {
    const top: GateRule = { kind: 'top', labels: ['bad'] };
    expect(constantRules([top, { ...top, threshold: 0.5 }, badAnatomy], ['bad'])).toEqual([top]);
    expect(constantRules([top], ['bad', 'good'])).toEqual([]);
  });

  it('takes * for any letters, and every other letter for itself', () => {
    const names = ['anatomy/bad', 'Bad (fused) [hands]', '.good', 'a*b', 'good'];
    const matched = (pattern: string) =>
      names.filter(
        (name) => idleRules([{ kind: 'share', labels: [pattern], threshold: 0.5 }], [name]).length === 0,
      );
    expect(matched('*')).toEqual(names);
    expect(matched('anatomy*')).toEqual(['anatomy/bad']);
    expect(matched('*bad')).toEqual(['anatomy/bad']);
    expect(matched('*(fused)*')).toEqual(['Bad (fused) [hands]']);
    expect(matched('*[hands]')).toEqual(['Bad (fused) [hands]']);
    expect(matched('*good')).toEqual(['.good', 'good']);
    expect(matched('a*b')).toEqual(['a*b']);
    expect(matched('{good,.good}')).toEqual([]);
    expect(matched('g?od')).toEqual([]);
    // Parts may not overlap.
    expect(matched('goo*ood')).toEqual([]);
    expect(matched('good*')).toEqual(['good']);
  });

  it('matches what a regular expression of the same meaning matches', () => {
    const text = (...letters: string[]) => fc.string({ unit: fc.constantFrom(...letters), maxLength: 8 });
    fc.assert(
      fc.property(text('a', 'b', '.', '/', '(', '*'), text('a', 'b', '.', '/', '('), (pattern, label) => {
        const escaped = pattern.split('*').map((part) => part.replace(/[./()]/g, '\\$&'));
        const found = idleRules([{ kind: 'share', labels: [pattern], threshold: 0.5 }], [label]).length === 0;
        expect(found).toBe(new RegExp(`^${escaped.join('.*')}$`).test(label));
      }),
    );
  });

  it('decides nothing on a score that is no probability', () => {
    for (const score of [NaN, Infinity, -Infinity, -0.1, 1.1, null]) {
      const broken = [{ label: 'Realistic_Bad_Anatomy', score }] as unknown as Scores;
      expect(() => judge([badAnatomy], broken)).toThrow(/which is no probability\. Nothing is accepted/);
    }
    expect(() => judge([badAnatomy], [] as unknown as Scores)).toThrow(/no scores/);
  });

  it('never accepts more readily when a rejected label becomes more probable', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (a, b) => {
          const [low, high] = [Math.min(a, b), Math.max(a, b)];
          const rank = { accept: 0, review: 1, reject: 2 };
          const rules = [{ ...badAnatomy, review: 0.2 }];
          expect(rank[judge(rules, scores(low)).decision]).toBeLessThanOrEqual(
            rank[judge(rules, scores(high)).decision],
          );
        },
      ),
    );
  });
});
