import { isDeepStrictEqual } from 'node:util';
import { adjust, settingOf } from './adjust.js';
import type { Adjust, ImageRequest, Of, Repair, Rung } from './types.js';

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
    const { changes, newSeed, repair } = effectOf(rungOf(ladder, attempt));
    const changed = changes ? adjust(plan.request, changes) : plan.request;
    newSeeds ||= newSeed === true;
    const repeats = asked.some((request) => isDeepStrictEqual(request, changed));
    const request = newSeeds || repeats ? { ...changed, seed: seedOf(attempt) } : changed;
    // A detector that found nothing will find nothing again.
    const inVain = unchanged.includes(attempt - 1);
    plan = repair && !inVain ? { request, repair } : { request };
    asked.push(request);
  }
  return plan;
}

/** What a rung does to the attempt that it leads to. */
interface Effect {
  newSeed?: boolean;
  changes?: Adjust;
  repair?: Repair;
}

const effects: { [Kind in Rung['kind']]: (rung: Of<Rung, Kind>) => Effect } = {
  new_seed: () => ({ newSeed: true }),
  adjust: ({ adjust }) => ({ changes: adjust }),
  // A repair with the seed of the picture that it repairs would draw the same hand again.
  repair: ({ repair }) => ({ newSeed: true, repair }),
};

export function effectOf(rung: Rung | undefined): Effect {
  return rung ? (effects[rung.kind] as (rung: Rung) => Effect)(rung) : {};
}

/** The repairs of a ladder. */
export function repairsIn(ladder: readonly Rung[]): Repair[] {
  return ladder.flatMap((rung) => effectOf(rung).repair ?? []);
}

/** The settings that a ladder changes, each once. */
export function adjustedBy(ladder: readonly Rung[]): string[] {
  const keys = ladder.flatMap((rung) => Object.keys(effectOf(rung).changes ?? {}));
  return [...new Set(keys.map(settingOf))];
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
