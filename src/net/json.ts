/** Strings are matched too, so that the words inside them are left alone. */
const stringOrBareWord = /"(?:\\.|[^"\\])*"|-?\bInfinity\b|\bNaN\b/g;

/** JSON as Python writes it: bare NaN and Infinity are read as null. Throws SyntaxError for anything else. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/\b(?:NaN|Infinity)\b/.test(text)) throw error;
    return JSON.parse(text.replace(stringOrBareWord, (match) => (match.startsWith('"') ? match : 'null')));
  }
}
