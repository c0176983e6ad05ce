import { RerollError } from '../errors.js';

/** A list of all nodes and files of a large ComfyUI has 200,000. Each takes up to 64 bytes, however short its text. */
const maxValues = 1_000_000;
/** What reads JSON goes down into it, and its own stack ends at some thousands. */
const maxDepth = 200;

/**
 * JSON of a server, as Python writes it: bare NaN and Infinity are read as null. Throws SyntaxError for anything else,
 * and RerollError for what nests too deep or holds too many values: that is counted before anything is built, since
 * 60 MB of `[]` are gigabytes of lists. Takes time in proportion to the text.
 */
export function parseJson(text: string): unknown {
  return JSON.parse(withinBounds(text));
}

function withinBounds(text: string): string {
  const parts: string[] = [];
  let copied = 0;
  let values = 1;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charAt(at)) {
      case '"':
        at = endOfString(text, at);
        break;
      case '[':
      case '{':
        if (++depth > maxDepth) throw new RerollError(`JSON that nests more than ${maxDepth} deep`);
        values++;
        break;
      case ']':
      case '}':
        depth--;
        break;
      case ',':
        values++;
        break;
      case 'N':
      case 'I':
      case '-': {
        const word = ['NaN', 'Infinity', '-Infinity'].find((one) => text.startsWith(one, at));
        if (word === undefined) break;
        parts.push(text.slice(copied, at), 'null');
        copied = at + word.length;
        at = copied - 1;
        break;
      }
    }
    if (values > maxValues)
      throw new RerollError(`JSON of more than ${maxValues.toLocaleString('en')} values`);
  }
  return parts.length === 0 ? text : parts.join('') + text.slice(copied);
}

/** Where the string that begins at `start` has its closing quote; the text's end where it has none. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    at = text.indexOf('"', at);
    if (at < 0) return text.length;
    let first = at;
    while (text.charAt(first - 1) === '\\') first--;
    if ((at - first) % 2 === 0) return at;
  }
}
