import { homeOf } from '../runtime/index.js';
import { packaged } from '../base/packaged.js';
import { run } from './run.js';

/** Runs the demo of the package in the current folder: where the package lies, nothing is written. */
export const demo = (flags: { json?: boolean }): Promise<number> =>
  run(packaged('config/demo.yaml'), { ...flags, set: ['output.dir=out'] }, homeOf(process.env));
