import type { Json } from '../loop/index.js';
import type { Path } from './located.js';
import { mapStrings } from './paths.js';

/** `$${NAME}` (kept as text) or `${NAME}` or `${NAME:-default}`. Other uses of `$` are left alone. */
const variable = /\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

export interface Interpolated {
  tree: Json;
  /** Dotted paths of the values that came from a variable: a number or `true` arrives there as text. */
  changed: Set<string>;
  missing: { path: Path; name: string }[];
}

/** Puts environment variables into every text of the tree. An empty variable counts as one that is not set. */
export function interpolate(raw: Json, env: NodeJS.ProcessEnv): Interpolated {
  const changed = new Set<string>();
  const missing: Interpolated['missing'] = [];
  const tree = mapStrings(raw, [], (text, path) => {
    if (!text.includes('${')) return text;
    return text.replace(variable, (whole, escaped: string | undefined, name = '', instead?: string) => {
      if (escaped) return escaped;
      changed.add(path.join('.'));
      const value = env[name as string] || instead;
      if (value === undefined) missing.push({ path, name: name as string });
      return value ?? whole;
    });
  });
  return { tree, changed, missing };
}
