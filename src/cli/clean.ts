import { plural } from '../base/plural.js';
import { ConfigError } from '../errors.js';
import { clean, homeOf, needHome, withState, type Cleaned } from '../runtime/index.js';
import { exitCodes } from './exit.js';
import { printJson, say } from './print.js';

export interface CleanFlags {
  dryRun?: boolean;
  runs?: string;
  json?: boolean;
}

export async function cleanUp({ dryRun: isDry = false, runs, json }: CleanFlags): Promise<number> {
  const home = homeOf(process.env);
  const before = runs === undefined ? undefined : daysAgo(runs);
  await needHome(home, process.env);
  const cleaned = await withState(home, (state) => clean(state, { isDry, ...(before && { before }) }));
  if (json) printJson({ home, isDry, ...cleaned });
  else say(describe(home, cleaned, isDry));
  return exitCodes.done;
}

/** `30d` */
function daysAgo(text: string): Date {
  const days = /^(\d{1,5})d$/.exec(text)?.[1];
  if (days === undefined)
    throw new ConfigError(`--runs ${text}: write an age in days, as in --runs 30d for what ended earlier.`);
  return new Date(Date.now() - Number(days) * 86_400_000);
}

function describe(home: string, cleaned: Cleaned, isDry: boolean): string {
  const { runs, candidates, blobs, jobs, rows, before, after } = cleaned;
  const count = Object.values(rows).reduce((sum, one) => sum + one, 0);
  return [
    isDry ? `Would free in ${home}:` : `Freed in ${home}:`,
    `  candidates ${plural(candidates.files, 'file')}, ${megabytes(candidates.bytes)}, of runs that are over`,
    `  blobs      ${plural(blobs.files, 'file')}, ${megabytes(blobs.bytes)}, that no run names`,
    `  jobs       ${jobs}, of runs that are over`,
    `  records    ${plural(count, 'row')}${runs.length === 0 ? '' : `, with all of ${runs.join(', ')}`}`,
    isDry
      ? `  It takes ${megabytes(before)} now.`
      : `  It took ${megabytes(before)}, and takes ${megabytes(after)} now.`,
  ].join('\n');
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
