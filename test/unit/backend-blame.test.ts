import fc from 'fast-check';
import { expect, it } from 'vitest';
import { luck } from '../../sketch/luck.js';
import { Blame } from '../../src/backends/blame.js';

const others = (blame: Blame, count: number) => {
  for (let other = 0; other < count; other++) blame.made(`other ${other}`);
};

/** How often `attempt` fails before it is blamed, with `between` done after each failure. */
function failuresOf(blame: Blame, attempt: string, between: (failures: number) => void = () => undefined) {
  let failures = 0;
  while (!blame.isBlamed(attempt) && failures < 1000) {
    blame.failed(attempt);
    between(++failures);
  }
  return failures;
}

it('whatever fails on a server that makes nothing, no attempt is blamed', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 60 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 400 }),
      (before, failing) => {
        const blame = new Blame();
        // It was well once, and made others; at least two attempts are open when it falls ill.
        others(blame, before);
        [1, 2, ...failing].forEach((attempt) => blame.failed(`${attempt}`));
        const all = [...new Set(failing)].map((attempt) => blame.isBlamed(`${attempt}`));
        expect(all).not.toContain(true);
        expect(blame.isSick).toBe(true);
      },
    ),
  );
});

it('one attempt alone on a server that has made nothing is never blamed', () => {
  const blame = new Blame();
  expect(failuresOf(blame, 'only')).toBe(1000);
  expect(blame.isSick).toBe(true);
});

it.each([
  ['while others are made', (blame: Blame) => failuresOf(blame, 'bad', () => others(blame, 2)), 2],
  [
    'while others were made at its first failure',
    (blame: Blame) => failuresOf(blame, 'bad', (n) => others(blame, n === 1 ? 49 : 0)),
    0,
  ],
  ['when all others are done', (blame: Blame) => failuresOf(blame, 'bad'), 49],
  ['as the last of two', (blame: Blame) => failuresOf(blame, 'bad'), 1],
])('an attempt that fails always is blamed within ten requests: %s', (_, fail, before) => {
  const blame = new Blame();
  others(blame, before);
  expect(fail(blame)).toBeLessThanOrEqual(10);
  expect(blame.isSick).toBe(false);
});

it('a fifth of all attempts that fail always are each blamed within fifteen requests, and the server is not sick at the end', () => {
  const blame = new Blame();
  const failures = new Map<string, number>();
  for (let round = 0; round < 40; round++) {
    for (let attempt = 0; attempt < 50; attempt++) {
      const name = `${attempt}`;
      if (attempt % 5 > 0 ? round > 0 : blame.isBlamed(name)) continue;
      if (attempt % 5 > 0) blame.made(name);
      else failures.set(name, blame.failed(name));
    }
  }
  expect(failures.size).toBe(10);
  for (const [name, count] of failures) {
    expect(blame.isBlamed(name)).toBe(true);
    expect(count).toBeLessThanOrEqual(15);
  }
  expect(blame.isSick).toBe(false);
});

it.each([0.05, 0.2, 0.4, 0.6])(
  'a server that fails %d of all requests by chance costs none its shot',
  (rate) => {
    for (let run = 0; run < 50; run++) {
      const blame = new Blame();
      let open = Array.from({ length: 200 }, (_, attempt) => `${attempt}`);
      for (let round = 0; open.length > 0; round++) {
        open = open.filter((attempt) => {
          const isMade = luck('blame', run, round, attempt) > rate;
          if (isMade) blame.made(attempt);
          else blame.failed(attempt);
          expect(blame.isBlamed(attempt)).toBe(false);
          return !isMade;
        });
      }
    }
  },
);

it('two attempts that fail in a row of three make a server sick, and an image makes it well', () => {
  const blame = new Blame();
  others(blame, 5);
  blame.failed('a');
  blame.failed('b');
  expect(blame.isSick).toBe(false);
  blame.failed('a');
  expect(blame.isSick).toBe(true);
  blame.made('c');
  expect(blame.isSick).toBe(false);
});

it('a server that says that it must be restarted is sick at once, and blames no attempt for it', () => {
  const blame = new Blame();
  others(blame, 50);
  for (let time = 0; time < 30; time++) blame.failed('last', true);
  expect(blame.isSick).toBe(true);
  expect(blame.isBlamed('last')).toBe(false);
});

it('an attempt that breaks a server each time that it has been restarted is blamed', () => {
  const blame = new Blame();
  others(blame, 50);
  for (let time = 0; time < 10; time++) {
    blame.failed('poison', true);
    blame.made(`after ${time}`);
  }
  expect(blame.isBlamed('poison')).toBe(true);
});

it("what failed while the server was sick is no attempt's own when it is well again", () => {
  const blame = new Blame();
  others(blame, 20);
  for (let time = 0; time < 20; time++) ['a', 'b', 'c'].forEach((attempt) => blame.failed(attempt));
  others(blame, 20);
  expect(['a', 'b', 'c'].some((attempt) => blame.isBlamed(attempt))).toBe(false);
  blame.failed('b');
  expect(blame.isBlamed('b')).toBe(false);
});

it('an attempt that was given up is tried anew', () => {
  const blame = new Blame();
  others(blame, 20);
  failuresOf(blame, 'bad');
  blame.forget('bad');
  expect(blame.isBlamed('bad')).toBe(false);
});
