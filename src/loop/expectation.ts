/** How good a gate is, and how bad its servers are. All are probabilities, 0 to 1. */
export interface GateQuality {
  /** Share of generated images that are really bad. */
  badRate: number;
  /** Share of really bad images that the gate rejects. */
  recall: number;
  /** Share of really good images that the gate rejects. */
  falseAlarms: number;
}

/** What a gate of that quality delivers. */
export interface Expectation {
  /** Probability that one attempt is accepted. */
  accepted: number;
  /** Attempts per shot, on average, with `attempts` as the budget of a shot. */
  attemptsPerShot: number;
  /** Share of shots that end without an accepted image. */
  exhausted: number;
  /** Share of the accepted images that are really bad. More budget does not change it: only a better gate does. */
  badAmongAccepted: number;
}

/** Each attempt is drawn anew, so attempts until acceptance are geometric, cut off at the budget. */
export function expect({ badRate, recall, falseAlarms }: GateQuality, attempts: number): Expectation {
  const missed = badRate * (1 - recall);
  const accepted = (1 - badRate) * (1 - falseAlarms) + missed;
  return {
    accepted,
    attemptsPerShot: attemptsPerShot(accepted, attempts),
    exhausted: exhaustedShare(accepted, attempts),
    badAmongAccepted: accepted === 0 ? 0 : missed / accepted,
  };
}

/** Attempts per shot, on average, where each is accepted with that probability and a shot may use up to `attempts`. */
export const attemptsPerShot = (accepted: number, attempts: number): number =>
  accepted === 0 ? attempts : (1 - exhaustedShare(accepted, attempts)) / accepted;

const exhaustedShare = (accepted: number, attempts: number): number => (1 - accepted) ** attempts;
