/** Which of `known` was probably meant by `unknown`; nothing where none looks alike. */
export function nearest(unknown: string, known: readonly string[]): string | undefined {
  const wanted = fold(unknown);
  const [best] = known
    .map((word) => ({ word, distance: likeness(wanted, fold(word)) }))
    .toSorted((a, b) => a.distance - b.distance);
  return best && best.distance <= Math.max(2, wanted.length / 3) ? best.word : undefined;
}

/** `Did you mean steps?`, or all that there is to choose from. */
export function suggestion(unknown: string, known: readonly string[]): string {
  const near = nearest(unknown, known);
  if (near !== undefined) return `Did you mean '${near}'?`;
  return known.length === 0 ? 'Take it out.' : `Known here: ${known.join(', ')}.`;
}

const fold = (word: string): string => word.toLowerCase().replace(/[^a-z0-9]/g, '');

/** Edits between two words; a word that begins or ends the other (sampler_name, sampler) counts as one edit. */
function likeness(a: string, b: string): number {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  if (short.length >= 3 && short !== long && (long.startsWith(short) || long.endsWith(short))) return 1;
  return edits(a, b);
}

/** Levenshtein's distance, one row at a time. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
