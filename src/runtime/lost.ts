import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../errors.js';
import type { Run } from '../ledger/index.js';
import type { State } from './state.js';

/** An image that was published, and is not there any more. */
export interface LostImage {
  shot: number;
  /** Absolute. */
  file: string;
}

/** Those of a run. Files of another machine's run cannot be looked for here: none, then. */
export async function* lostImages(
  { ledger, store }: Pick<State, 'ledger' | 'store'>,
  run: Run,
): AsyncGenerator<LostImage> {
  if (run.store !== store) return;
  for await (const page of ledger.published(run.id)) {
    const images = page.map(({ shot, path }) => ({ shot, file: join(run.outputDir, run.id, path) }));
    const areLost = await Promise.all(images.map(({ file }) => isGone(file)));
    yield* images.filter((_, place) => areLost[place]);
  }
}

/** A file that cannot be looked at now (a share that does not answer) is not gone. */
function isGone(file: string): Promise<boolean> {
  return access(file).then(
    () => false,
    (error: unknown) => systemCode(error) === 'ENOENT',
  );
}
