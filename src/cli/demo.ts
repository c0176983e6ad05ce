import { homeOf } from '../runtime/index.js';
import { packaged } from '../base/packaged.js';
import { warn } from './print.js';
import { run } from './run.js';

/** Runs the demo of the package in the current folder: where the package lies, nothing is written. */
export async function demo(flags: { json?: boolean }): Promise<number> {
  const file = packaged('config/demo.yaml');
  const code = await run(file, { ...flags, set: ['output.dir=out'] }, homeOf(process.env));
  warn(`\nThat was ${file}. \`reroll init\` writes a pipeline for your own servers.`);
  return code;
}
