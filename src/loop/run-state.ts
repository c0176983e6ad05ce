import type { RunState } from './types.js';

/** Shots by what became of them. */
export interface Tally {
  shots: number;
  accepted: number;
  exhausted: number;
  failed: number;
  cancelled: number;
}

/** Nothing more happens to such a run by itself. What else is said of a state ("interrupted") is not over. */
export const isOver = (state: RunState | 'interrupted'): state is 'completed' | 'cancelled' =>
  state === 'completed' || state === 'cancelled';

/** How many shots have an outcome. */
export const endedOf = ({ accepted, exhausted, failed, cancelled }: Omit<Tally, 'shots'>): number =>
  accepted + exhausted + failed + cancelled;

/** How many have none yet. */
export const openOf = (tally: Tally): number => tally.shots - endedOf(tally);
