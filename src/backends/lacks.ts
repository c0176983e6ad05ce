import { settingOf, type ImageRequest } from '../loop/index.js';
import { near } from './near.js';
import type { Lack } from './port.js';

/** That `asked` is none of the server's `names`, with those that look most alike, or with all where none does. */
export function lackOf(what: string, asked: string, names: readonly string[]): Lack {
  const alike = near(asked, names);
  return { what, asked, near: alike, ...(alike.length === 0 && { has: names }) };
}

/** What the ladder changes of a settled request, and of which the server's side has no value to count from. */
export function uncountable({ adjust = [] }: ImageRequest): Lack[] {
  const settings = new Set(adjust.flatMap((one) => Object.keys(one)).map(settingOf));
  const advice = ', which the ladder changes: set it in the pipeline';
  return [...settings].map((asked) => ({ what: 'own value of', asked, near: [], advice }));
}

/** `no sampler "Eulr a" (nearest: Euler a), no checkpoint "b" (it has c, d)`: to follow "has". */
export function describeLacks(lacks: readonly Lack[]): string {
  const words = lacks.map(({ what, asked, near, has, where, advice }) => {
    const names = near.length > 0 ? `nearest: ${near.slice(0, 3).join(', ')}` : has && `it has ${few(has)}`;
    const hints = [where && `for ${where}`, names].filter(Boolean).join('; ');
    return `no ${what} "${asked}"${hints && ` (${hints})`}${advice ?? ''}`;
  });
  return [...new Set(words)].join(', ');
}

function few(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  return [...names.slice(0, 5), ...(names.length > 5 ? ['...'] : [])].join(', ');
}
