import { createHash } from 'node:crypto';

/**
 * The seed of an attempt, 0 to 2^32 - 1: the same run seed, shot and attempt always give the same one,
 * whatever order servers answer in. SHA-256, so that neighbouring shots get unrelated seeds.
 */
export function seedFor(runSeed: number, shot: number, attempt: number): number {
  return createHash('sha256').update(`${runSeed}/${shot}/${attempt}`).digest().readUInt32BE(0);
}
