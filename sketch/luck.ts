import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** A number from 0 up to 1 that depends on `keys` alone: the same keys always have the same luck. */
export function luck(...keys: readonly (string | number)[]): number {
  let hash = 0x811c9dc5; // 32-bit FNV-1a
  for (const byte of Buffer.from(keys.join('\0'))) hash = Math.imul(hash ^ byte, 0x01000193);
  return uniformFloat64(xoroshiro128plus(hash));
}

/** One of `choices`, by the same rule. `choices` must not be empty. */
export function pick<T>(choices: readonly T[], ...keys: readonly (string | number)[]): T {
  const choice = choices[Math.floor(luck(...keys) * choices.length)];
  if (choice === undefined) throw new RangeError('nothing to pick from');
  return choice;
}
