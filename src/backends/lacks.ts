import type { Lack } from './port.js';

/** `no sampler "Eulr a" (it has Euler a), no checkpoint "b"`. */
export function describeLacks(lacks: readonly Lack[]): string {
  const words = lacks.map(({ what, asked, near }) => {
    const hint = near.length > 0 ? ` (it has ${near.slice(0, 3).join(', ')})` : '';
    return `no ${what} "${asked}"${hint}`;
  });
  return [...new Set(words)].join(', ');
}
