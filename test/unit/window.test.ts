import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Window } from '../../src/runtime/window.js';

const keys = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, place) => ({ run: 'r', shot: from + place, number: 1 }));

test('has room for as many as its size, and is low from half of that on', () => {
  const window = new Window(4);
  expect([window.room, window.isLow]).toEqual([4, true]);
  window.put(keys(1, 3));
  expect([window.room, window.isLow]).toEqual([1, false]);
  window.remove(keys(1, 1)[0]!);
  expect([window.room, window.isLow]).toEqual([2, true]);
});

test('one that a server failed makes room, and reads further, until it comes back', () => {
  const window = new Window(2);
  const [first] = keys(1, 1);
  window.put(keys(1, 2));
  window.delay(first!);
  expect([window.room, window.reach, window.has(first!)]).toEqual([1, 3, true]);
  window.resume(first!);
  expect([window.room, window.reach]).toEqual([0, 2]);
});

test('whatever happens, it never knows more than it was told', () => {
  const shot = fc.integer({ min: 1, max: 8 }).map((index) => keys(index, index)[0]!);
  const step = fc.oneof(
    fc.record({ do: fc.constantFrom('put', 'delay', 'resume', 'remove' as const), key: shot }),
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const window = new Window(4);
      const known = new Set<number>();
      for (const { do: action, key } of steps) {
        if (action === 'put') {
          window.put([key]);
          known.add(key.shot);
        } else window[action](key);
        if (action === 'remove') known.delete(key.shot);
      }
      for (const key of keys(1, 8)) expect(window.has(key)).toBe(known.has(key.shot));
    }),
  );
});

test('what the ledger says is due replaces what it knew', () => {
  const window = new Window(4);
  window.put(keys(1, 3));
  window.delay(keys(2, 2)[0]!);
  window.renew(keys(2, 5));
  expect(keys(1, 5).map((key) => window.has(key))).toEqual([false, true, true, true, true]);
  expect(window.room).toBe(1);
});
