import type { WildcardPart } from './template.js';

/** `__name__` of letters of any script, digits, and _ - . / * : whatever stands around it. */
const plainName = /__((?:(?!__)[\p{L}\p{N}_\-./*])+)__/uy;
/** A file may have any other name too, with blanks or commas in it. */
const anyName = /__((?:(?!__)[^\r\n<>])+)__/y;

/** What stands between `__` at `at`, as a wildcard's name; undefined where it can be none. */
export function wildcardAt(
  text: string,
  at: number,
): { name: string; end: number; missing: WildcardPart['missing'] } | { error: string } | undefined {
  plainName.lastIndex = at;
  const plain = plainName.exec(text)?.[1];
  if (plain !== undefined) return { name: plain, end: plainName.lastIndex, missing: 'error' };
  anyName.lastIndex = at;
  const written = anyName.exec(text)?.[1];
  if (written === undefined || !/[\p{L}\p{N}]/u.test(written) || /\\_|\\$/.test(written)) return undefined;
  const end = anyName.lastIndex;
  if (/[{}|]/.test(written)) {
    if (!/^[^{}]*\{[^{}]*\}[^{}]*$/.test(written)) return undefined;
    return { error: "a wildcard's name takes no choice. Choose between wildcards: {__a__|__b__}." };
  }
  if (written.trim() !== written) return undefined;
  // o__o, x__x: what stands amid words is a name only where there is such a file, and never what stands before one.
  const isAmid = /\w/.test(text.charAt(at - 1)) || /\w/.test(text.charAt(end));
  plainName.lastIndex = end - 2;
  if (isAmid && plainName.test(text)) return undefined;
  return { name: written, end, missing: isAmid ? 'note' : 'error' };
}
