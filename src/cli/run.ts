import { loadPipeline, type Pipeline } from '../pipeline/index.js';
import { ConfigError } from '../errors.js';
import type { RetryRequest, RunSummary } from '../runtime/index.js';
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

/** `home`: the state folder; left out: beside the pipeline. */
export async function run(file: string, flags: RunFlags, home?: string): Promise<number> {
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
  const { raw, set: keys, file: path } = pipeline;
  const env = { ...environmentOf(raw, process.env), ...pipeline.literals };
  const begin: Begin = {
    about: `Opening the model ${pipeline.gate.models.join(', ')}, asking ${names(pipeline)} ...`,
    async start(service, signal) {
      const { chooseRun } = await import('./choose-run.js');
      const left = await chooseRun(service, path, { isAsking: !flags.json, signal });
      if (left !== undefined) return service.resume({ run: left, env });
      return service.submit({ pipeline: raw, set: keys, file: path, env });
    },
    again: (run) => resuming(run, env),
  };
  return workOff(home ?? homeOf(process.env, path), begin, flags);
}

export async function resume(id: string | undefined, flags: { json?: boolean }): Promise<number> {
  const { homeOf, needHome } = await import('../runtime/index.js');
  const home = homeOf(process.env);
  await needHome(home, process.env);
  return workOff(home, resuming(id, {}), flags);
}

export interface RetryFlags {
  failed?: boolean;
  exhausted?: boolean;
  missing?: boolean;
  shots?: string;
  attempts?: string;
  set?: string[];
  json?: boolean;
}

export async function retry(id: string | undefined, flags: RetryFlags): Promise<number> {
  const { shots, attempts, set = [] } = flags;
  const request: RetryRequest = {
    ...(id !== undefined && { run: id }),
    which: whichOf(flags),
    ...(shots !== undefined && { shots: readRanges(shots) }),
    ...(attempts !== undefined && { attempts: readMore(attempts) }),
    set,
    cwd: process.cwd(),
    env: environmentOf(set, process.env),
  };
  const { homeOf, needHome } = await import('../runtime/index.js');
  const home = homeOf(process.env);
  await needHome(home, process.env);
  const begin: Begin = {
    about: `Opening ${id ?? 'the newest run that is over'} ...`,
    start: (service) => service.retry(request),
    again: (run) => resuming(run, request.env),
  };
  return workOff(home, begin, flags);
}

function whichOf({ failed, exhausted, missing }: RetryFlags): RetryRequest['which'] {
  if (missing && (failed || exhausted))
    throw new ConfigError(
      '--missing makes images again as they were: ask for failed or exhausted shots alone.',
    );
  if (missing) return 'missing';
  if (failed === exhausted) return 'failed or exhausted';
  return failed ? 'failed' : 'exhausted';
}

/** `3,7-9` */
function readRanges(text: string): [number, number][] {
  return text.split(',').map((part) => {
    const [, first, last = first] = /^\s*(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*$/.exec(part) ?? [];
    if (first === undefined)
      throw new ConfigError(`--shots ${text}: write numbers and ranges of shots, as in --shots 3,7-9.`);
    return [Number(first), Number(last)];
  });
}

/** `+4` */
function readMore(text: string): number {
  const more = /^\+?(\d{1,4})$/.exec(text)?.[1];
  if (more !== undefined && Number(more) >= 1 && Number(more) <= 1000) return Number(more);
  throw new ConfigError(
    `--attempts ${text}: write how many more each shot may use, 1 to 1000, as in --attempts +4.`,
  );
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
