import { parseArgs } from 'node:util';
import { setup } from '../support/global-setup.js';
import { canCut, record } from './power.js';

/** `npm run test:power -- --cuts 200 [--seed N]`: cuts the power of a run, and looks at what is left. */
const { values } = parseArgs({ options: { cuts: { type: 'string' }, seed: { type: 'string' } } });
const cuts = Number(values.cuts ?? 200);
const first = Number(values.seed ?? 1);

if (canCut()) {
  await setup();
  const recorded = await record(24);
  let lost = 0;
  for (let seed = first; seed < first + cuts; seed++) {
    try {
      await recorded.cut(seed);
      // A run that goes on takes seconds.
      if (seed % 10 === 0) await recorded.resume();
    } catch (error) {
      lost++;
      console.error(
        `cut ${seed}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
    }
  }
  await recorded.remove();
  console.log(`${cuts} power cuts, ${lost} with a loss`);
  process.exitCode = lost === 0 ? 0 : 1;
}
