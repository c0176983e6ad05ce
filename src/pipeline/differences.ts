import { isDeepStrictEqual } from 'node:util';
import type { Json } from '../loop/index.js';

/**
 * The keys at which two pipelines differ, as `retry.attempts` and `prompts.0.text`; those that one of them lacks with
 * the word for it. What stands at the keys of `except`, or in them, is no difference.
 */
export function differences(before: Json, now: Json, except: readonly string[]): string[] {
  return [...compare([], before, now)]
    .filter(({ key }) => !except.some((one) => within(key, one) || within(one, key)))
    .map(({ key, word }) => (word ? `${key} (${word})` : key));
}

const within = (key: string, other: string): boolean => key === other || key.startsWith(`${other}.`);

function* compare(
  path: readonly string[],
  before: Json | undefined,
  now: Json | undefined,
): Generator<{ key: string; word?: string }> {
  const key = path.join('.');
  if (isDeepStrictEqual(before, now)) return;
  if (before === undefined) yield { key, word: 'new' };
  else if (now === undefined) yield { key, word: 'gone' };
  else if (isTree(before) && isTree(now) && Array.isArray(before) === Array.isArray(now)) {
    const [old, fresh] = [new Map(Object.entries(before)), new Map(Object.entries(now))];
    for (const name of new Set([...old.keys(), ...fresh.keys()]))
      yield* compare([...path, name], old.get(name), fresh.get(name));
  } else yield { key };
}

const isTree = (value: Json): value is Json[] | { [key: string]: Json } =>
  typeof value === 'object' && value !== null;
