import { isDeepStrictEqual } from 'node:util';
import { adjust } from './adjust.js';
import type { ImageRequest, Repair, Rung } from './types.js';

/** What an attempt asks for. */
export interface Plan {
  request: ImageRequest;
  /** Set where the attempt repairs the candidate before it. */
  repair?: Repair;
}

/**
 * The request of attempt `number` of a shot: the first request with every rung up to that attempt applied.
 * Changes add up: once a rung drew a new seed, every later attempt draws its own. An attempt that would
 * repeat an earlier request to the letter draws a new seed too, since a server would answer it with the
 * same image. A repair that changed nothing is not repeated: an attempt from scratch comes between.
 *
 * @param seedOf the seed of an attempt, by its number
 * @param unchanged the attempts, by number, whose repair gave the image back as it was
 */
export function planAttempt(
  first: ImageRequest,
  ladder: readonly Rung[],
  number: number,
  seedOf: (number: number) => number,
  unchanged: readonly number[],
): Plan {
  let plan: Plan = { request: first };
  let newSeeds = false;
  const asked = [first];
  for (let attempt = 2; attempt <= number; attempt++) {
    const rung = rungOf(ladder, attempt);
    const changed = rung && 'adjust' in rung ? adjust(plan.request, rung.adjust) : plan.request;
    // A repair with the seed of the picture that it repairs would draw the same hand again.
    newSeeds ||= rung !== undefined && ('new_seed' in rung || 'repair' in rung);
    const repeats = asked.some((request) => isDeepStrictEqual(request, changed));
    const request = newSeeds || repeats ? { ...changed, seed: seedOf(attempt) } : changed;
    // A detector that found nothing will find nothing again.
    const inVain = unchanged.includes(attempt - 1);
    plan = rung && 'repair' in rung && !inVain ? { request, repair: rung.repair } : { request };
    asked.push(request);
  }
  return plan;
}

/** The rung that leads to attempt `number` (2 or more); the last one repeats. */
export function rungOf(ladder: readonly Rung[], number: number): Rung | undefined {
  let before = number - 2;
  for (const rung of ladder) {
    before -= rung.times ?? 1;
    if (before < 0) return rung;
  }
  return ladder.at(-1);
}
