import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { GenerateJob } from '../../src/backends/index.js';
import { BackendError } from '../../src/errors.js';
import type { ImageRequest } from '../../src/loop/index.js';

/** A small image, as a backend is asked for it. */
export function job(changes: Partial<ImageRequest> = {}, more: Partial<GenerateJob> = {}): GenerateJob {
  const request = {
    prompt: 'a hand',
    negative_prompt: '',
    seed: 7,
    width: 64,
    height: 64,
    steps: 4,
    cfg_scale: 6,
    ...changes,
  };
  return {
    request,
    remoteId: randomUUID(),
    adopt: false,
    attempt: { run: 'r-1', shot: 1, number: 1 },
    ...more,
  };
}

/** The BackendError with which a promise fails. */
export async function failure(promise: Promise<unknown>): Promise<BackendError> {
  const error: unknown = await promise.then(
    () => new Error('nothing failed'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(BackendError);
  return error as BackendError;
}
