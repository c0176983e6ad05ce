import { expect, test } from 'vitest';
import { summarise } from '../../src/cli/summary.js';
import type { RunSummary } from '../../src/runtime/index.js';

const summary = (some: Partial<RunSummary>): RunSummary => ({
  run: 'demo-1',
  state: 'completed',
  shots: 20,
  accepted: 20,
  exhausted: 0,
  failed: 0,
  cancelled: 0,
  review: 0,
  home: '/pictures/.reroll',
  attempts: 25,
  outputDir: '/out/demo-1',
  seconds: 12,
  ...some,
});
const first = (some: Partial<RunSummary>): string | undefined => summarise(summary(some)).split('\n')[0];

test('the attempts of a resumed run are told apart from those before', () => {
  expect(first({})).toBe('demo-1 completed: 20 of 20 shots accepted after 25 attempts in 12 s');
  expect(first({ attemptsBefore: 18 })).toBe(
    'demo-1 completed: 20 of 20 shots accepted after 25 attempts, 7 of them in the 12 s since it was resumed',
  );
});

test('one is not many', () => {
  expect(first({ shots: 1, accepted: 1, attempts: 1 })).toContain('1 of 1 shot accepted after 1 attempt in');
});

test('what lies in review is told', () => {
  expect(summarise(summary({ review: 2 }))).toContain('2 images in review, for you to look at');
  expect(summarise(summary({}))).not.toContain('review');
});

test('failures point to where their reasons are', () => {
  expect(summarise(summary({ failed: 3 }))).toContain('3 failed (the report will say why)');
  expect(summarise(summary({ failed: 3, report: '/out/demo-1/report.html' }))).toContain(
    '3 failed (the report says why)',
  );
});

test('failures can be tried again when the run is over', () => {
  expect(summarise(summary({ failed: 3 }))).toMatch(/reroll retry demo-1 --failed$/);
  expect(summarise(summary({ failed: 3, state: 'running' }))).not.toContain('retry');
});
