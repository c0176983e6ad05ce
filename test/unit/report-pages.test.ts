import fc from 'fast-check';
import { expect, it } from 'vitest';
import { groupOf, groups, markOf, type Group } from '../../src/report/groups.js';
import { pagesOf, placeOfShot, placesOf, type Part } from '../../src/report/pages.js';
import type { ReportShot } from '../../src/report/index.js';

const names = groups.map(([group]) => group);

/** Sections of parts whose shots are numbered on. */
const sections = fc
  .dictionary(fc.constantFrom(...names), fc.array(fc.integer({ min: 1, max: 5_000 }), { maxLength: 12 }))
  .map((cards) => {
    const partsOf = (counts: number[]) =>
      counts.map((cards, place): Part => ({ shot: 10 * place + 1, cards }));
    return new Map(Object.entries(cards).map(([group, counts]) => [group as Group, partsOf(counts)]));
  });

it('every part stands on one page, in order, and no page is longer than a browser likes', () => {
  fc.assert(
    fc.property(sections, (given) => {
      const pages = pagesOf(given);
      for (const group of names) {
        const parts = pages.flatMap((page) => page.sections).filter((one) => one.group === group);
        expect(parts.flatMap((one) => one.parts)).toEqual(given.get(group) ?? []);
        expect(parts.map(({ first }) => first)).toEqual(
          parts.map((_, at) => 1 + parts.slice(0, at).reduce((sum, one) => sum + one.parts.length, 0)),
        );
      }
      const sizes = pages.map((page) => page.sections.flatMap(({ parts }) => parts));
      for (const parts of sizes)
        expect(parts.reduce((sum, { cards }) => sum + cards, 0)).toBeLessThanOrEqual(15_000);
      expect(pages[0]!.file).toBe('report.html');
      expect(new Set(pages.map(({ file }) => file)).size).toBe(pages.length);
      const all = [...given.values()].flat().reduce((sum, { cards }) => sum + cards, 0);
      expect(pages.length === 1).toBe(all <= 15_000);
    }),
  );
});

it('a shot is found on the page of the part that it stands in', () => {
  const parts = [1, 11, 21].map((shot) => ({ shot, cards: 7_000 }));
  const places = placesOf(pagesOf(new Map([['accepted', parts]]))).get('accepted')!;
  expect(places.map(({ anchor }) => anchor)).toEqual(['accepted', 'accepted-2', 'accepted-3']);
  expect([1, 10, 20, 21, 99].map((shot) => placeOfShot(shot, places))).toEqual([
    'report-accepted-1.html#s1',
    'report-accepted-1.html#s10',
    'report-accepted-1.html#s20',
    'report-accepted-2.html#s21',
    'report-accepted-2.html#s99',
  ]);
});

const attempts = (...decisions: ('accept' | 'review' | 'reject')[]) =>
  decisions.map((decision, place) => ({
    number: place + 1,
    verdict: { decision, rejected: 0.5, scores: [] },
  }));
const seen = (shot: object) => {
  const one = shot as ReportShot;
  return [groupOf(one), ...one.attempts.map((attempt) => markOf(one, attempt))];
};

it.each([
  [
    { outcome: 'accepted', kept: 2, attempts: attempts('reject', 'accept') },
    ['accepted', 'rejected', 'accepted'],
  ],
  [
    { outcome: 'accepted', kept: 2, attempts: attempts('review', 'accept') },
    ['accepted', 'review', 'accepted'],
  ],
  [
    { outcome: 'exhausted', kept: 1, attempts: attempts('reject', 'reject') },
    ['exhausted', 'kept', 'rejected'],
  ],
  [{ outcome: 'exhausted', attempts: attempts('reject') }, ['exhausted', 'rejected']],
  [{ outcome: 'exhausted', kept: 2, attempts: attempts('review', 'reject') }, ['review', 'review', 'kept']],
  [
    { outcome: 'exhausted', kept: 1, published: 'review/1/a.png', attempts: attempts('reject', 'reject') },
    ['review', 'review', 'rejected'],
  ],
  [{ outcome: 'failed', attempts: attempts('reject') }, ['failed', 'rejected']],
  [{ outcome: 'cancelled', attempts: attempts('reject') }, ['cancelled', 'rejected']],
  [{ attempts: attempts('reject', 'review') }, ['open', 'rejected', 'review']],
  // Its image was lost: it is made again.
  [{ kept: 1, attempts: attempts('accept') }, ['open', 'earlier']],
  [
    { outcome: 'accepted', kept: 2, attempts: attempts('accept', 'accept') },
    ['accepted', 'earlier', 'accepted'],
  ],
])('exhausted and review-band images are told apart: %j', (shot, expected) => {
  expect(seen(shot)).toEqual(expected);
});
