import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { ConfigError } from '../errors.js';
import type { Run } from '../ledger/index.js';
import { exists } from '../base/files.js';
import type { Shot } from '../loop/index.js';
import { compilePipeline, expandShots, readLiterals, type Pipeline } from '../pipeline/index.js';
import { RunFiles } from './run-files.js';
import type { State } from './state.js';

/** What a process takes on: a run that is to be recorded, or one that is. */
export interface Task {
  pipeline: Pipeline;
  files: RunFiles;
  /** Set where it was recorded before. */
  recorded?: Run;
  /** The run, recorded: from here on it can be resumed. */
  record: (signal?: AbortSignal) => Promise<Run>;
}

/** A new run of a pipeline. */
export function newRun(state: State, pipeline: Pipeline): Task {
  const files = new RunFiles(state);
  return {
    pipeline,
    files,
    record: (signal) => recordRun(state, pipeline, { files, ...(signal && { signal }) }),
  };
}

/** A run that the ledger has. ConfigError where a variable that its pipeline names is not set. */
export async function recordedRun(state: State, run: Run, given: NodeJS.ProcessEnv): Promise<Task> {
  const env = { ...(await readLiterals(run.pipelineFile)), ...given };
  const pipeline = compilePipeline(run.pipeline, {
    file: run.pipelineFile,
    env,
    isRecorded: true,
    set: run.set,
  });
  return { pipeline, files: new RunFiles(state, run.id), recorded: run, record: async () => run };
}

export interface Recording {
  files?: RunFiles;
  signal?: AbortSignal;
  /** Of a run that is recorded anew: its id, its seed, and who looks at its shots. */
  again?: { id: string; seed: number; check: (shots: AsyncIterable<Shot>) => AsyncIterable<Shot> };
}

export async function recordRun(
  state: State,
  pipeline: Pipeline,
  { files = new RunFiles(state), signal, again }: Recording,
): Promise<Run> {
  const seed = again?.seed ?? pipeline.seed ?? randomInt(2 ** 32);
  const outputDir = pipeline.output.dir;
  const all = expandShots(pipeline, seed, signal && { signal });
  const shots = again ? again.check(all) : all;
  const run = await state.ledger.createRun(
    {
      name: pipeline.name,
      pipelineFile: pipeline.file,
      pipeline: pipeline.raw,
      set: pipeline.set,
      seed,
      outputDir,
      store: state.store,
      hasBudget: pipeline.retry.run_attempts !== undefined,
      files: await files.named(pipeline),
    },
    files.keepingOf(within(shots, pipeline.retry.run_attempts)),
    // A folder of an earlier state folder's run: its pictures are not overwritten.
    (id) => (again ? Promise.resolve(id !== again.id) : exists(join(outputDir, id))),
  );
  files.recordedAs(run.id);
  return run;
}

/** The shots, refused where the run's budget cannot pay for one attempt of each. */
async function* within(shots: AsyncIterable<Shot>, runAttempts: number | undefined): AsyncGenerator<Shot> {
  let count = 0;
  for await (const shot of shots) {
    count++;
    if (runAttempts !== undefined && count > runAttempts) {
      throw new ConfigError(
        `retry.run_attempts is ${runAttempts}, but there are more shots than that, and each needs one attempt at least.`,
      );
    }
    yield shot;
  }
  if (count === 0) throw new ConfigError('the pipeline has no prompts: nothing to generate.');
}

/** Whether something is left to do for it. */
function isOpen({ state }: Run): boolean {
  return state === 'running' || state === 'paused';
}

/** A run that is not over, the newest if none is named. */
export async function findUnfinished({ ledger, home }: State, id: string | undefined): Promise<Run> {
  const runs = await ledger.runs();
  const run = id === undefined ? runs.find(isOpen) : runs.find((run) => run.id === id);
  if (!run) {
    throw new ConfigError(
      id === undefined
        ? `nothing to resume in ${home}: every run is over.`
        : `there is no run ${id} in ${home}; \`reroll runs\` lists them.`,
    );
  }
  if (!isOpen(run)) throw new ConfigError(`${run.id} is ${run.state}: nothing is left to do.`);
  return run;
}
