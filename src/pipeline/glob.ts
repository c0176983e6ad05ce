/**
 * Whether `name` is one that `pattern` stands for: `*` for any letters within a folder's or file's name, `**` for any
 * at all, `**` and a slash for any folders. All positions are followed at once, so no pattern takes long.
 */
export function matchesGlob(pattern: string, name: string): boolean {
  const tokens = pattern.match(/(?<![^/])\*\*\/|\*\*?|[^*]/gu) ?? [];
  let at = skipping(tokens, [0]);
  let before = '/';
  for (const letter of name) {
    const next: number[] = [];
    for (const place of at) {
      const token = tokens[place];
      if (token === letter) next.push(place + 1);
      else if (token === '**/') next.push(place, ...(letter === '/' ? [place + 1] : []));
      // A hidden file has to be named.
      else if (token === '**' || (token === '*' && letter !== '/')) {
        if (letter !== '.' || before !== '/') next.push(place);
      }
    }
    at = skipping(tokens, next);
    before = letter;
  }
  return at.has(tokens.length);
}

/** The places, and those behind stars that stand for nothing. */
function skipping(tokens: readonly string[], places: readonly number[]): Set<number> {
  const all = new Set(places);
  for (const place of all) if (tokens[place]?.startsWith('*')) all.add(place + 1);
  return all;
}
