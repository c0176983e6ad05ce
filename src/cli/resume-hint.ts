import { dirname } from 'node:path';
import { homeOf } from '../runtime/index.js';

/** How to go on with a run, from the folder in which the user stands. */
export function resumeHint(run: string, home: string): string {
  const there = homeOf(process.env) === home ? '' : `cd ${quoted(dirname(home))} && `;
  return `To go on: ${there}reroll resume ${run}`;
}

const quoted = (path: string): string => (/^[\w./~:\\-]+$/.test(path) ? path : JSON.stringify(path));
