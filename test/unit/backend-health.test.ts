import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { backoffMs, watchHealth, type Backend, type Health } from '../../src/backends/index.js';
import { BackendError, RestingError, type Fault } from '../../src/errors.js';

const signal = new AbortController().signal;
let open: Health | undefined;
afterEach(() => open?.close());

let attempts = 0;
/** The name of an attempt that was never tried. */
const next = (): string => `attempt ${++attempts}`;

/** A health watch over a backend whose probes answer as the test says, one after another; then they pass. */
function watch(probes: (BackendError | undefined)[] = [], trialMs = { first: 1, longest: 64 }) {
  const changes: [string, string | undefined][] = [];
  const waiting: { state: string; resolve: () => void }[] = [];
  let probed = 0;
  const backend: Pick<Backend, 'name' | 'probe'> = {
    name: 'server',
    probe: async () => {
      probed++;
      const failure = probes.shift();
      if (failure) throw failure;
      return { product: 'test' };
    },
  };
  const hopeful: (() => void)[] = [];
  const health: Health = (open = watchHealth(backend, {
    probeMs: { first: 1, longest: 4 },
    trialMs,
    onTaking: () => {
      if (health.isTaking) hopeful.splice(0).forEach((resolve) => resolve());
    },
    onChange: (state, reason) => {
      changes.push([state, reason]);
      waiting.filter((one) => one.state === state).forEach(({ resolve }) => resolve());
    },
  }));
  const until = (state: string) =>
    new Promise<void>((resolve) => {
      if (health.state === state) resolve();
      else waiting.push({ state, resolve });
    });
  const taking = () =>
    new Promise<void>((resolve) => {
      if (health.isTaking) resolve();
      else hopeful.push(resolve);
    });
  return { health, changes, until, taking, probes: () => probed };
}

const failing = (fault: Fault, unreachable = false) => {
  const error = new BackendError('it hurts', { backend: 'server', fault, unreachable });
  return { error, work: () => Promise.reject(error) };
};

it('three failures in a row make a backend sick: no probe makes it well, an image does', async () => {
  const { health, changes, until, taking, probes } = watch();
  const { error, work } = failing('transient');
  await expect(health.run(next(), work)).rejects.toBe(error);
  expect(health.state).toBe('ailing');
  await expect(health.run(next(), work)).rejects.toBe(error);
  await expect(health.run(next(), work)).rejects.toBe(error);
  expect(health.isTaking).toBe(false);
  await taking();
  expect(probes()).toBeGreaterThan(0);
  expect(health.state).toBe('sick');
  await expect(health.run(next(), async () => 'fine')).resolves.toBe('fine');
  await until('well');
  expect(changes.map(([state]) => state)).toEqual(['ailing', 'sick', 'well']);
  expect(changes[1]?.[1]).toContain('it hurts');
});

it('a sick backend is tried by one image at a time, after growing pauses, and told of once', async () => {
  const { health, changes, taking } = watch();
  const { work } = failing('transient');
  for (let count = 0; count < 3; count++) await health.run(next(), work).catch(() => undefined);
  const sentAt: number[] = [];
  for (let trial = 0; trial < 5; trial++) {
    await taking();
    let fail: (error: Error) => void = () => undefined;
    sentAt.push(performance.now());
    const tried = health.run(next(), () => new Promise((_, reject) => (fail = reject)));
    expect(health.isTaking).toBe(false);
    await expect(health.run(next(), work)).rejects.toBeInstanceOf(RestingError);
    fail(failing('transient').error);
    await expect(tried).rejects.toBeInstanceOf(BackendError);
  }
  const pauses = sentAt.slice(1).map((at, place) => at - sentAt[place]!);
  // 2, 4, 8, 16 ms, a tenth less by luck: timers may be late, never early.
  [2, 4, 8, 16].forEach((ms, place) => expect(pauses[place]).toBeGreaterThanOrEqual(ms * 0.9 - 0.1));
  expect(changes.map(([state]) => state)).toEqual(['ailing', 'sick']);
});

it.each([
  ['came to nothing', async () => undefined],
  ['was refused', failing('request').work],
  ['was broken off', () => Promise.reject(new Error('aborted'))],
])('a trial that %s is another request’s', async (_, work) => {
  const { health, taking } = watch();
  for (let count = 0; count < 3; count++) {
    await health.run(next(), failing('transient').work).catch(() => undefined);
  }
  await taking();
  await health.run(next(), work).catch(() => undefined);
  expect(health.isTaking).toBe(true);
  await health.run(next(), async () => 'fine');
  expect(health.state).toBe('well');
});

it('a sick backend that goes away and comes back has been restarted, and is tried at once', async () => {
  const away = () => failing('transient', true).error;
  const { health, changes, taking, until } = watch([undefined, away(), away()], {
    first: 60_000,
    longest: 60_000,
  });
  for (let count = 0; count < 3; count++) {
    await health.run(next(), failing('transient').work).catch(() => undefined);
  }
  await taking();
  await health.run(next(), async () => 'fine');
  await until('well');
  expect(changes.map(([state]) => state)).toEqual(['ailing', 'sick', 'well']);
});

it('a server whose own words say that it must be restarted is sick at once', async () => {
  const { health } = watch();
  await health.run(next(), async () => 'fine');
  const broken = new BackendError('CUDA error', {
    backend: 'server',
    fault: 'transient',
    needsRestart: true,
  });
  await expect(health.run(next(), () => Promise.reject(broken))).rejects.toBe(broken);
  expect(health.state).toBe('sick');
});

it('a server that refuses us and passes every probe is told of once, and does not go up and down', async () => {
  const { health, changes, taking } = watch();
  for (let trial = 0; trial < 4; trial++) {
    await health.run(next(), failing('backend').work).catch(() => undefined);
    await taking();
  }
  expect(changes.map(([state]) => state)).toEqual(['down', 'sick']);
});

it('an attempt that it goes on failing while it makes others is refused, and others are not', async () => {
  const { health } = watch();
  const { work } = failing('transient');
  let failures = 0;
  let thrown: unknown;
  while (!(thrown instanceof BackendError && thrown.fault === 'request')) {
    thrown = await health.run('bad', work).catch((error: unknown) => error);
    failures++;
    await health.run(next(), async () => 'fine');
  }
  expect(failures).toBeLessThanOrEqual(10);
  expect(thrown.message).toBe(`server: it hurts It failed this attempt ${failures} times, and makes others.`);
  await expect(health.run('bad', async () => 'never sent')).rejects.toMatchObject({ fault: 'request' });
  health.forget('bad');
  await expect(health.run('bad', async () => 'fine')).resolves.toBe('fine');
  expect(health.state).toBe('well');
});

it('a success between failures starts the count again', async () => {
  const { health, changes } = watch();
  const { work } = failing('transient');
  for (let round = 0; round < 3; round++) {
    await health.run(next(), work).catch(() => undefined);
    await health.run(next(), work).catch(() => undefined);
    await health.run(next(), async () => 'fine');
  }
  expect(changes.map(([state]) => state)).not.toContain('down');
  expect(health.state).toBe('well');
});

it('a request that can never succeed says nothing about the backend', async () => {
  const { health, changes } = watch();
  const { error, work } = failing('request');
  for (let count = 0; count < 5; count++) await expect(health.run(next(), work)).rejects.toBe(error);
  expect(changes).toEqual([]);
});

it.each([
  ['a fault of the backend itself', failing('backend')],
  ['a server that is not there', failing('transient', true)],
])('%s takes it down at once', async (_, { work }) => {
  const { health, taking } = watch();
  await expect(health.run(next(), work)).rejects.toBeInstanceOf(BackendError);
  expect(health.state).toBe('down');
  await taking();
  await health.run(next(), async () => 'fine');
  expect(health.state).toBe('well');
});

it('a backend that is down is sent nothing, and says why', async () => {
  const { health, until } = watch([failing('backend').error]);
  await expect(health.run(next(), failing('transient', true).work)).rejects.toThrow();
  let sent = false;
  const refused = health.run(next(), async () => (sent = true));
  await expect(refused).rejects.toBeInstanceOf(RestingError);
  await expect(refused).rejects.toThrow(/it hurts/);
  expect(sent).toBe(false);
  await until('well');
});

it('it is probed until it is well', async () => {
  const bad = () => failing('transient', true).error;
  const { health, until, probes } = watch([bad(), bad(), bad()]);
  await health.run(next(), failing('transient', true).work).catch(() => undefined);
  await until('well');
  expect(probes()).toBe(4);
  await expect(health.run(next(), async () => 'fine')).resolves.toBe('fine');
});

it('a first probe that fails takes it down, and one by hand that passes brings it back', async () => {
  const { health } = watch([failing('transient', true).error]);
  await expect(health.probe(signal)).rejects.toBeInstanceOf(BackendError);
  expect(health.state).toBe('down');
  await expect(health.probe(signal)).resolves.toEqual({ product: 'test' });
  expect(health.state).toBe('well');
});

it('a request under way when it went down does not bring it back; only a probe does', async () => {
  const { health, until } = watch();
  let finish: (result: string) => void = () => undefined;
  const slow = health.run(next(), () => new Promise<string>((resolve) => (finish = resolve)));
  await health.run(next(), failing('backend').work).catch(() => undefined);
  finish('done');
  await slow;
  expect(health.state).toBe('down');
  await until('well');
});

it('closing ends the probing', async () => {
  const { health, probes } = watch(Array.from({ length: 1000 }, () => failing('transient', true).error));
  await health.run(next(), failing('backend').work).catch(() => undefined);
  await health.close();
  const count = probes();
  await turn();
  expect(probes()).toBe(count);
  expect(health.state).toBe('down');
});

it('backoff grows with the failures and stays between half a second and a minute', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (failures, luck) => {
        const wait = backoffMs(failures, () => luck);
        expect(wait).toBeGreaterThanOrEqual(500);
        expect(wait).toBeLessThanOrEqual(60_000);
        expect(backoffMs(failures + 1, () => luck)).toBeGreaterThanOrEqual(wait);
      },
    ),
  );
});
