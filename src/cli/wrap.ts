/**
 * `line` in lines of at most `width` letters, broken between words; the later ones begin with `indent`, which is shorter
 * than that. A word that is longer than a line is broken too.
 */
export function wrap(line: string, width: number, indent = ''): string[] {
  const lines: string[] = [];
  for (let rest = line; ;) {
    if (rest.length <= width) return [...lines, rest];
    const begin = /^ */.exec(rest)?.[0].length ?? 0;
    const space = rest.lastIndexOf(' ', width);
    const end = space > begin ? space : width;
    lines.push(rest.slice(0, end));
    rest = indent + rest.slice(end).trimStart();
  }
}
