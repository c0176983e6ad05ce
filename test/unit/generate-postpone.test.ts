import { expect, it } from 'vitest';
import { BackendError } from '../../src/errors.js';
import type { Attempt, Ledger } from '../../src/ledger/index.js';
import { generate, type GenerateDependencies, type GuardedBackend } from '../../workers/generate.js';

it.each([
  ['may still hold the work', true],
  ['says that it does not have the work', false],
])('the remote id is kept where a server that failed %s', async (_, mayHoldWork) => {
  const key = { run: 'r-1', shot: 1, number: 1 };
  const kept: boolean[] = [];
  const ledger = {
    attempt: async () => ({ ...key, lane: 'any', state: 'due', request: { prompt: 'a hand' } }) as Attempt,
    recordServerError: async (_key: unknown, _message: string, keepRemote: boolean) => {
      kept.push(keepRemote);
      return 1;
    },
  } as unknown as Ledger;
  const server = {
    name: 'slow',
    well: true,
    info: undefined,
    forget: () => undefined,
    ledger,
    call: () =>
      Promise.reject(new BackendError('is slow.', { backend: 'slow', fault: 'transient', mayHoldWork })),
  } satisfies GuardedBackend;
  const dependencies = {
    ledger,
    isTaking: () => true,
    backendsFor: () => ({ here: [server], elsewhere: false }),
    backoffMs: () => 1,
    onEvent: { serverError: () => undefined },
  } as unknown as GenerateDependencies;
  await expect(
    generate(dependencies, key, { backend: server, lane: 'any' }, new AbortController().signal),
  ).rejects.toThrow();
  expect(kept).toEqual([mayHoldWork]);
});
