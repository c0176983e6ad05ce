import type { Json } from '../loop/index.js';
import { mapStrings } from './paths.js';

/** Where a password may stand, of a backend. */
const places: { [key: string]: { part: RegExp; as: string } } = {
  auth: { part: /^.+$/s, as: 'AUTH' },
  api_key: { part: /^.+$/s, as: 'API_KEY' },
  url: { part: /(?<=^https?:\/\/)[^/?#@]+(?=@)/i, as: 'LOGIN' },
};
/** In a text; `$${NAME}` is none, but the text itself. */
const variable = /(?<!\$)\$\{/;

/** What stands in a pipeline literally, by the variable that stands for it. */
export type Literals = { [name: string]: string };

/**
 * A pipeline without the passwords that stand in it literally: it is recorded so, and a variable that is named for the
 * backend stands in the place of each. Whoever goes on with the run reads them in the pipeline's file, or in the environment.
 */
export function hideLiterals(raw: Json): { raw: Json; literals: Literals } {
  const literals: Literals = {};
  const hidden = mapStrings(raw, [], (text, path) => {
    const [list, place, key = ''] = path;
    const found = list === 'backends' && path.length === 3 ? places[key] : undefined;
    if (!found) return text;
    return text.replace(found.part, (part) => {
      if (variable.test(part)) return part;
      const name = `REROLL_${nameOf(raw, Number(place))}_${found.as}`;
      literals[name] = part.replaceAll('$${', '${');
      return `\${${name}}`;
    });
  });
  return { raw: hidden, literals };
}

/** In the letters of a variable, and no two alike. */
function nameOf(raw: Json, place: number): string {
  const { backends } = raw as { backends: { name?: Json }[] };
  const name = backends[place]?.name;
  if (typeof name !== 'string') return String(place + 1);
  return name.replace(/[^A-Za-z0-9]/gu, (letter) => `_${letter.codePointAt(0)?.toString(16)}`);
}
