import type { Pipeline } from '../pipeline/index.js';

export type Environment = { [name: string]: string };

/** The variables that a pipeline may name, for the process that works on it: no others are handed to it. */
export function environmentOf(raw: Pipeline['raw'], env: NodeJS.ProcessEnv): Environment {
  const found = JSON.stringify(raw).matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)/g);
  const names = new Set([...found].map(([, name = '']) => name));
  return Object.fromEntries(
    [...names].flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  );
}
