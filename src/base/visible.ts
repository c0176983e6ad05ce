/** Letters that move the cursor, turn the direction of writing, or show nothing: all of Unicode's "other", and a few more. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]/gu;

/**
 * `text` as it may be shown to people, wherever its words came from: what cannot be printed stands there as an escape,
 * such as `\x1b` or `\u202e`, so that nobody's words can rename a window, clear a screen, hide a part or stand in
 * for ours. Line breaks stay.
 */
export const visible = (text: string): string => text.replace(unprintable, escaped);

/** JSON for machines with nothing in it that a terminal would obey: the value stays the same. */
export const visibleJson = (value: unknown): string =>
  JSON.stringify(value).replace(unprintable, (letter) =>
    letter.replace(/[^]/g, (unit) => `\\u${hex(unit, 4)}`),
  );

function escaped(letter: string): string {
  if (letter === '\n') return letter;
  if (letter === '\t') return '\\t';
  if (letter === '\r') return '\\r';
  const code = letter.codePointAt(0) ?? 0;
  if (code > 0xffff) return `\\u{${code.toString(16)}}`;
  return code > 0xff ? `\\u${hex(letter, 4)}` : `\\x${hex(letter, 2)}`;
}

const hex = (unit: string, length: number): string => unit.charCodeAt(0).toString(16).padStart(length, '0');
