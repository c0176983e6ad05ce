import { distance } from 'fastest-levenshtein';

/** Which of `known` was probably meant by `unknown`; nothing where none looks alike. */
export function nearest(unknown: string, known: readonly string[]): string | undefined {
  const wanted = fold(unknown);
  const [best] = known
    .map((word) => ({ word, difference: difference(wanted, fold(word)) }))
    .toSorted((a, b) => a.difference - b.difference);
  return best && best.difference <= Math.max(2, wanted.length / 3) ? best.word : undefined;
}

/** `Did you mean steps?`, or all that there is to choose from. */
export function suggestion(unknown: string, known: readonly string[]): string {
  const near = nearest(unknown, known);
  if (near !== undefined) return `Did you mean '${near}'?`;
  return known.length === 0 ? 'Take it out.' : `Known here: ${known.join(', ')}.`;
}

const fold = (word: string): string => word.toLowerCase().replace(/[^a-z0-9]/g, '');

/** Edits between two words; a word that begins or ends the other (sampler_name, sampler) counts as little more than one edit. */
function difference(a: string, b: string): number {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  if (short.length >= 3 && short !== long && (long.startsWith(short) || long.endsWith(short))) return 1.5;
  return distance(a, b);
}
