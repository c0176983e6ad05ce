import { createHash } from 'node:crypto';
import { isBase64 } from '../base/base64.js';
import type { Json } from '../loop/index.js';
import { isLate, isTemplate } from './environment.js';
import type { Path } from './located.js';
import { mapStrings } from './paths.js';

/** `$${NAME}` (kept as text) or `${NAME}` or `${NAME:-default}`. Other uses of `$` are left alone. */
const variable = /\$(\$\{[^}]*\}?)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

export interface Interpolated {
  tree: Json;
  /** Dotted paths of the values that came from a variable: a number or `true` arrives there as text. */
  changed: Set<string>;
  missing: { path: Path; name: string }[];
  /**
   * The variables that still stand in the tree, to be put in when a request is sent. A picture in base64 becomes one
   * as well: its megabytes are not kept with every shot and attempt.
   */
  environment: Map<string, string>;
}

/**
 * Puts environment variables into every text of the tree, but for those that wait until a request is sent. An empty
 * variable counts as one that is not set.
 */
export function interpolate(raw: Json, env: NodeJS.ProcessEnv): Interpolated {
  const changed = new Set<string>();
  const missing: Interpolated['missing'] = [];
  const environment = new Map<string, string>();
  const tree = mapStrings(raw, [], (text, path) => {
    if (isLate(path) && !isTemplate(path) && isBase64(text)) {
      const name = `picture_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
      environment.set(name, text);
      return `\${${name}}`;
    }
    if (!text.includes('${')) return text;
    return text.replace(variable, (whole, escaped: string | undefined, name = '', instead?: string) => {
      if (escaped !== undefined) {
        if (isTemplate(path)) return escaped.replace(/[{}]/g, '\\$&');
        return isLate(path) ? whole : escaped;
      }
      const value = env[name as string];
      if (value && isLate(path)) {
        environment.set(name as string, value);
        return `\${${name as string}}`;
      }
      changed.add(path.join('.'));
      if (!value && instead === undefined) missing.push({ path, name: name as string });
      return value || (instead ?? whole);
    });
  });
  // What is put in late stays escaped where it could be taken for one of these variables.
  const settled = mapStrings(tree, [], (text, path) => {
    if (!isLate(path) || isTemplate(path)) return text;
    return text.replace(/\$(\$\{(\w*))/g, (whole, itself: string, name: string) =>
      environment.has(name) ? whole : itself,
    );
  });
  return { tree: settled, changed, missing, environment };
}
