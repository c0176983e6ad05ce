import { loadPipeline } from '../pipeline/index.js';
import { exitCodeOf, exitCodes } from './exit.js';
import { printJson } from './print.js';
import type { RunSummary } from '../runtime/index.js';

export interface RunFlags {
  dryRun?: boolean;
  set?: string[];
  seed?: string;
  json?: boolean;
}

export async function run(file: string, flags: RunFlags): Promise<number> {
  const { set = [], seed } = flags;
  const settings = seed === undefined ? set : [...set, `seed=${seed}`];
  const pipeline = await loadPipeline(file, { env: process.env, set: settings });
  // Each loads what it needs alone: a dry run opens no model and no database.
  if (flags.dryRun) {
    const { dryRun } = await import('./dry-run.js');
    await dryRun(pipeline, flags.json ?? false);
    return exitCodes.done;
  }
  const { workNew } = await import('./work.js');
  return finish(await workNew(pipeline), flags);
}

export async function resume(id: string | undefined, flags: { json?: boolean }): Promise<number> {
  const { workOn } = await import('./work.js');
  return finish(await workOn(id), flags);
}

async function finish(summary: RunSummary, { json }: { json?: boolean }): Promise<number> {
  const { summarise } = await import('./summary.js');
  if (json) printJson(summary);
  else process.stdout.write(summarise(summary) + '\n');
  return exitCodeOf(summary);
}
