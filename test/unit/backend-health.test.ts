import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { backoffMs, watchHealth, type Backend, type Health } from '../../src/backends/index.js';
import { BackendError, type Fault } from '../../src/errors.js';

const signal = new AbortController().signal;
let open: Health | undefined;
afterEach(() => open?.close());

/** A health watch over a backend whose probes answer as the test says, one after another; then they pass. */
function watch(probes: (BackendError | undefined)[] = []) {
  const changes: [string, string | undefined][] = [];
  const waiting: { state: string; resolve: () => void }[] = [];
  let probed = 0;
  const backend: Backend = {
    name: 'server',
    kind: 'a1111',
    probe: async () => {
      probed++;
      const failure = probes.shift();
      if (failure) throw failure;
      return { product: 'test' };
    },
    missing: async () => [],
    generate: () => Promise.reject(new Error('not asked for')),
    cancel: async () => undefined,
    close: async () => undefined,
  };
  const health = (open = watchHealth(backend, {
    probeMs: { first: 1, longest: 4 },
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
  return { health, changes, until, probes: () => probed };
}

const failing = (fault: Fault, unreachable = false) => {
  const error = new BackendError('it hurts', { backend: 'server', fault, unreachable });
  return { error, work: () => Promise.reject(error) };
};

it('three transient failures in a row take a backend down, and a probe that passes brings it back', async () => {
  const { health, changes, until } = watch();
  const { error, work } = failing('transient');
  await expect(health.run(work)).rejects.toBe(error);
  expect(health.state).toBe('ailing');
  await expect(health.run(work)).rejects.toBe(error);
  await expect(health.run(work)).rejects.toBe(error);
  expect(health.state).toBe('down');
  await until('well');
  expect(changes.map(([state]) => state)).toEqual(['ailing', 'down', 'well']);
  expect(changes[1]?.[1]).toContain('it hurts');
});

it('a success between failures starts the count again', async () => {
  const { health, changes } = watch();
  const { work } = failing('transient');
  for (let round = 0; round < 3; round++) {
    await health.run(work).catch(() => undefined);
    await health.run(work).catch(() => undefined);
    await health.run(async () => 'fine');
  }
  expect(changes.map(([state]) => state)).not.toContain('down');
  expect(health.state).toBe('well');
});

it('a request that can never succeed says nothing about the backend', async () => {
  const { health, changes } = watch();
  const { error, work } = failing('request');
  for (let count = 0; count < 5; count++) await expect(health.run(work)).rejects.toBe(error);
  expect(changes).toEqual([]);
});

it.each([
  ['a fault of the backend itself', failing('backend')],
  ['a server that is not there', failing('transient', true)],
])('%s takes it down at once', async (_, { work }) => {
  const { health, until } = watch();
  await expect(health.run(work)).rejects.toBeInstanceOf(BackendError);
  expect(health.state).toBe('down');
  await until('well');
});

it('a backend that is down is sent nothing, and says why', async () => {
  const { health, until } = watch([failing('backend').error]);
  await expect(health.run(failing('backend').work)).rejects.toThrow();
  let sent = false;
  const refused = health.run(async () => (sent = true));
  await expect(refused).rejects.toMatchObject({ fault: 'transient', unreachable: true });
  await expect(refused).rejects.toThrow(/it hurts/);
  expect(sent).toBe(false);
  await until('well');
});

it('it is probed until it is well', async () => {
  const bad = () => failing('transient', true).error;
  const { health, until, probes } = watch([bad(), bad(), bad()]);
  await health.run(failing('backend').work).catch(() => undefined);
  await until('well');
  expect(probes()).toBe(4);
  await expect(health.run(async () => 'fine')).resolves.toBe('fine');
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
  const slow = health.run(() => new Promise<string>((resolve) => (finish = resolve)));
  await health.run(failing('backend').work).catch(() => undefined);
  finish('done');
  await slow;
  expect(health.state).toBe('down');
  await until('well');
});

it('closing ends the probing', async () => {
  const { health, probes } = watch(Array.from({ length: 1000 }, () => failing('transient', true).error));
  await health.run(failing('backend').work).catch(() => undefined);
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
