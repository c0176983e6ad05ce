import { plural } from '../base/plural.js';
import { ConfigError } from '../errors.js';
import { loadPipeline } from '../pipeline/index.js';
import { homeOf, rebuildRun, setAsideDamaged, withState } from '../runtime/index.js';
import { exitCodes } from './exit.js';
import { printJson, say } from './print.js';

/** Records a run anew whose ledger is lost; one that is damaged is kept, under another name. */
export async function rebuild(file: string | undefined, run: string, json: boolean): Promise<number> {
  if (file === undefined)
    throw new ConfigError('name the pipeline too: `reroll doctor PIPELINE --rebuild RUN`.');
  const pipeline = await loadPipeline(file, { env: process.env });
  const home = homeOf(process.env, pipeline.file);
  const aside = process.env.REROLL_DATABASE_URL ? undefined : await setAsideDamaged(home);
  if (aside !== undefined && !json) say(`The damaged ledger lies in ${aside} now.`);
  const { images, open } = await withState(home, (state) => rebuildRun(state, pipeline, run));
  if (json) printJson({ run, images, open, ...(aside !== undefined && { aside }) });
  else {
    say(`Recorded ${run} anew, with ${plural(images, 'image')}.`);
    say(open === 0 ? 'It is complete.' : `${plural(open, 'shot')} are to be made: \`reroll resume ${run}\`.`);
  }
  return exitCodes.done;
}
