import { StorageError } from '../src/errors.js';
import type { Candidates } from '../src/images/index.js';
import type { AttemptKey } from '../src/ledger/index.js';
import { RetryLater } from '../src/queue/index.js';

/** How soon an image is looked for again where the disk does not give it. */
const unreadableMs = 2_000;

/** So many times is the image of one attempt made again where it was lost. */
export const mostLosses = 3;

/**
 * A candidate's bytes. GoneError where it is lost; RetryLater where it cannot be read now: a network drive that hangs, a
 * disk that fails or too many open files lose no image, and what was paid for is not paid again.
 */
export async function readCandidate(
  {
    candidates,
    onEvent,
  }: { candidates: Candidates; onEvent: { unreadable(key: AttemptKey, error: StorageError): void } },
  key: AttemptKey,
  file: string,
): Promise<Buffer> {
  try {
    return await candidates.read(file);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    onEvent.unreadable(key, error);
    throw new RetryLater(unreadableMs);
  }
}
