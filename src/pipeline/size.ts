import { keyName } from './explain.js';
import type { Path } from './located.js';
import type { Settled } from './schema.js';

/** Of one run. Each needs a row of the ledger, and hours of a GPU come to much less. */
export const mostShots = 10_000_000;

type Counted = Pick<Settled['prompts'][number], 'matrix' | 'count'>;

/** How many shots a prompt asks for: every combination of its matrix, as often as `count` says. */
export function shotsOf({ matrix = {}, count = 1 }: Counted): number {
  return Object.values(matrix).reduce((product, values) => product * values.length, count);
}

export const tooManyShots = (shots: number): string =>
  `this asks for ${shots.toLocaleString('en')} images; a run takes at most ${mostShots.toLocaleString('en')}. Take values out of the matrix, or make several runs.`;

/** Prompts that ask for more shots than a run takes: counted, not made. */
export function* tooLarge({ prompts }: Settled): Generator<{ path: Path; message: string }> {
  let sum = 0;
  for (const [index, prompt] of prompts.entries()) {
    sum += shotsOf(prompt);
    if (sum <= mostShots) continue;
    const path = ['prompts', index, ...(prompt.matrix ? ['matrix'] : [])];
    yield { path, message: `${keyName(path)}: ${tooManyShots(sum)}` };
    return;
  }
}
