import { afterEach, expect, it } from 'vitest';
import { LiveReport, nextPause } from '../../src/runtime/live-report.js';

const soon = { firstMs: 1, pauseMs: 1 };
let report: LiveReport | undefined;
afterEach(() => report?.stop());

it('a report that takes long is written seldom: at most a fiftieth of the time goes into it', () => {
  expect(nextPause(100)).toBe(60_000);
  expect(nextPause(30_000)).toBe(1_500_000);
});

it('is written again after verdicts alone, goes on after a failure, and says what failed', async () => {
  const errors: unknown[] = [];
  let asked = 0;
  let written = 0;
  await new Promise<void>((resolve) => {
    report = new LiveReport({
      // 0 0 1 1 2 2 ...
      attempts: async () => Math.floor(asked++ / 2),
      write: async () => {
        if (written++ === 1) throw new Error('no room');
        if (written === 5) resolve();
      },
      onError: (error) => errors.push(error),
      pauses: soon,
    });
  });
  await report?.stop();
  // What failed is tried at the next look, though nothing has changed since.
  expect(asked).toBe(9);
  expect(errors).toEqual([new Error('no room')]);
});

it('stops in the middle of writing, without a word', async () => {
  const errors: unknown[] = [];
  const stopped = new Promise<void>((resolve) => {
    report = new LiveReport({
      attempts: async () => 1,
      write: (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
          resolve();
        }),
      onError: (error) => errors.push(error),
      pauses: soon,
    });
  });
  await stopped;
  await report?.stop();
  expect(errors).toEqual([]);
});
