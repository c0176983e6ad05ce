import { createHash } from 'node:crypto';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Numbers that look random and are the same for the same key, on every machine. */
export interface Random {
  /** 0 up to, not including, 1. */
  next(): number;
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<T>(choices: readonly [T, ...T[]]): T;
}

/**
 * One stream per key. Each part of a drawing has its own key, so that a part that takes one number more
 * (a sixth finger) does not change the others (the background).
 */
export function random(...key: (string | number)[]): Random {
  const generator = xoroshiro128plus(createHash('sha256').update(JSON.stringify(key)).digest().readInt32LE());
  const next = () => uniformFloat64(generator);
  return {
    next,
    between: (low, high) => low + (high - low) * next(),
    chance: (probability) => next() < probability,
    pick: (choices) => choices[Math.floor(next() * choices.length)] ?? choices[0],
  };
}
