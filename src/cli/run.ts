import { loadPipeline, type Pipeline } from '../pipeline/index.js';
import type { RunSummary } from '../runtime/index.js';
import { environmentOf, type Environment } from './environment.js';
import { exitCodeOf, exitCodes } from './exit.js';
import { printJson, say } from './print.js';
import type { Begin } from './work.js';

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
  const { homeOf } = await import('../runtime/index.js');
  const { raw, file: path } = pipeline;
  const env = environmentOf(raw, process.env);
  const begin: Begin = {
    about: `Opening the model ${pipeline.gate.models.join(', ')}, asking ${names(pipeline)} ...`,
    start: (service) => service.submit({ pipeline: raw, file: path, env }),
    again: (run) => resuming(run, env),
  };
  return workOff(homeOf(process.env, path), begin, flags);
}

export async function resume(id: string | undefined, flags: { json?: boolean }): Promise<number> {
  const { homeOf, needHome } = await import('../runtime/index.js');
  const home = homeOf(process.env);
  await needHome(home, process.env);
  return workOff(home, resuming(id, {}), flags);
}

async function workOff(home: string, begin: Begin, { json }: { json?: boolean }): Promise<number> {
  const { work } = await import('./work.js');
  const { summarise } = await import('./summary.js');
  // Where no summary comes, the user has left the view of a run that goes on.
  let code: number = exitCodes.interrupted;
  await work(home, begin, (summary: RunSummary) => {
    if (json) printJson(summary);
    else say(summarise(summary));
    code = exitCodeOf(summary);
  });
  return code;
}

function resuming(run: string | undefined, env: Environment): Begin {
  return {
    about: `Opening ${run ?? 'the newest run that is not over'} ...`,
    start: (service) => service.resume({ ...(run !== undefined && { run }), env }),
    again: (left) => resuming(left, env),
  };
}

function names({ backends }: Pipeline): string {
  return backends.length > 3 ? `${backends.length} backends` : backends.map(({ name }) => name).join(', ');
}
