import { exists } from '../base/files.js';
import { plural } from '../base/plural.js';
import { toError } from '../errors.js';
import type { Run } from '../ledger/index.js';
import { differences, readRaw } from '../pipeline/index.js';
import { lostImages } from './lost.js';
import type { RunFiles } from './run-files.js';
import type { State } from './state.js';

/** Things that are named; the others are counted. */
const shown = 5;

/** What is another now than when a run was recorded, and what of it is gone, in words. */
export async function changesSince(
  state: Pick<State, 'ledger' | 'store'>,
  run: Run,
  files: RunFiles,
): Promise<string[]> {
  const said = [];
  const lost = [];
  for await (const { file } of lostImages(state, run)) lost.push(file);
  if (lost.length > 0) {
    const [are, them] = lost.length === 1 ? ['is', 'it'] : ['are', 'them'];
    said.push(
      `${plural(lost.length, 'published image')} of ${run.id} ${are} gone: ${some(lost, 3)}. \`reroll retry ${run.id} --missing\` makes ${them} again when the run is over.`,
    );
  }
  const pipeline = await pipelineChanges(run);
  if (pipeline !== undefined)
    said.push(
      `${run.id} goes on by its pipeline as it was recorded. ${pipeline} A new run goes by the file as it is now.`,
    );
  const changed = [];
  for await (const { path, isGone } of files.changed()) changed.push(isGone ? `${path} (gone)` : path);
  if (changed.length > 0)
    said.push(
      `${run.id} goes on with its files as they were when it was recorded. Changed since: ${some(changed, 3)}. A new run takes them as they are now.`,
    );
  return said;
}

async function pipelineChanges({ pipelineFile: file, pipeline, set }: Run): Promise<string | undefined> {
  if (!(await exists(file))) return `${file} is gone.`;
  try {
    const changed = differences(pipeline, await readRaw(file), set);
    return changed.length === 0 ? undefined : `Changed in ${file} since: ${some(changed, shown)}.`;
  } catch (error) {
    return `${file} has changed since, and cannot be read: ${toError(error).message}`;
  }
}

function some(names: string[], most: number): string {
  const more = names.length > most ? ` and ${names.length - most} more` : '';
  return `${names.slice(0, most).join(', ')}${more}`;
}
