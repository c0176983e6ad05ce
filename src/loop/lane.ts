import { traitsOf } from './repair.js';
import type { ImageRequest, Repair } from './types.js';

/**
 * The lane of a request: requests of one lane need the same things of a server (its tags, its checkpoint,
 * a way of repairing), so each of its servers can take any of them.
 * A short string of letters, digits and dashes: it becomes part of a queue's name.
 */
export function laneOf(
  request: Pick<ImageRequest, 'checkpoint' | 'vae'>,
  tags: readonly string[],
  repair?: Repair,
): string {
  const needs = [
    request.checkpoint ?? '',
    request.vae ?? '',
    repair ? traitsOf(repair).needs : '',
    ...[...tags].sort(),
  ];
  if (needs.every((need) => need === '')) return 'any';
  const words = needs
    .join('-')
    .replace(/[^a-zA-Z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40);
  return `${words}-${fnv1a(JSON.stringify(needs)).toString(36)}`;
}

/** 32-bit FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/): tells names apart that look alike once shortened. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
