import { promptOfRepair, type ImageRequest, type Repair } from '../loop/index.js';
import { lateParts, putIntoRepair, putIntoRequest, type Environment } from './environment.js';
import { mapStrings } from './paths.js';

/** A shorter value may be any word's part: it is hidden only where it is a whole text. */
const shortest = 4;

/** A longer value is no word's part, and no pattern may be so long: pictures in base64 are. */
const longestWord = 10_000;

export interface Hider {
  /** A text with `${NAME}` for what was put in. */
  readonly hide: (text: string) => string;
  /** Whether bytes read as text hold something of it, whatever stands around it. */
  readonly tells: (text: string) => boolean;
}

/**
 * What turns a text that came back from a server into one that may be stored: what was put in for the variables of
 * this request becomes `${NAME}` again, be the text plain or JSON. Other words stay: only what was sent is looked for,
 * and never inside a longer word.
 */
export function hider(request: ImageRequest, repair: Repair | undefined, environment: Environment): Hider {
  const stored = lateTexts(request, repair);
  const sent = lateTexts(putIntoRequest(request, environment), repair && putIntoRepair(repair, environment));
  const changed = sent
    .map((text, index): [string, string] => [text, stored[index] ?? ''])
    .filter(([text, written]) => text !== written);
  const names = new Set(
    changed.flatMap(([, written]) => [...written.matchAll(/\$\{(\w+)\}/g)].map((match) => match[1] ?? '')),
  );
  const values = [...names].flatMap((name): [string, string][] => {
    const value = environment.get(name);
    return value === undefined ? [] : [[value, `\${${name}}`]];
  });
  const whole = new Map([...values, ...changed]);
  const parts = [...new Map([...values, ...changed].flatMap(spellings))]
    .filter(([text]) => text.length >= shortest)
    .sort(([a], [b]) => b.length - a.length)
    .map(([sent, written]) => ({ sent, written, words: sent.length > longestWord ? sent : asWord(sent) }));
  return {
    hide: (text) =>
      whole.get(text) ??
      parts.reduce((rest, { words, written }) => rest.replaceAll(words, () => written), text),
    tells: (text) => parts.some(({ sent }) => text.includes(sent)),
  };
}

/** The texts that variables may stand in, always in the same order. */
function lateTexts(request: ImageRequest, repair?: Repair): string[] {
  const detail = repair && promptOfRepair(repair);
  const texts: string[] = [];
  mapStrings([lateParts(request), detail ?? null], [], (text) => {
    texts.push(text);
    return text;
  });
  return texts;
}

/** As it is, as in JSON, and as in JSON that is ASCII alone. */
function spellings([text, written]: [string, string]): [string, string][] {
  const json = JSON.stringify(text).slice(1, -1);
  const ascii = json.replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return [text, json, ascii].map((spelling) => [spelling, written]);
}

function asWord(text: string): RegExp {
  const letters = text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  const start = /^[\p{L}\p{N}]/u.test(text) ? '(?<![\\p{L}\\p{N}])' : '';
  const end = /[\p{L}\p{N}]$/u.test(text) ? '(?![\\p{L}\\p{N}])' : '';
  return new RegExp(start + letters + end, 'gu');
}
