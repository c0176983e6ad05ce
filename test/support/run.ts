import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Classifier } from '../../src/classifier/index.js';
import type { ShotRecord } from '../../src/ledger/index.js';
import { loadPipeline } from '../../src/pipeline/index.js';
import {
  openState,
  opening,
  newRun,
  RunHere,
  type RunEvent,
  type RunSummary,
  type State,
} from '../../src/runtime/index.js';
import { findUnfinished, recordedRun, type Task } from '../../src/runtime/start.js';
import { freshHome } from './home.js';
import { withoutTimesAndServers } from './workspace.js';

export interface Ran {
  summary: RunSummary;
  /** Without what may differ between two equal runs. Empty where the run is not over. */
  manifest: ManifestLine[];
  /** As the ledger has them. */
  shots: ShotRecord[];
  events: RunEvent[];
}

export interface ManifestLine {
  shot: number;
  outcome: string;
  published?: string;
  reason?: string;
  attempts: { number: number; seed: number; decision?: string }[];
}

export interface RunOptions {
  /** Tells runs in the same folder apart. */
  name?: string;
  /** Judges instead of the pipeline's model. */
  classifier?: Classifier;
  onEvent?: (event: RunEvent) => void;
  /** Where ledger and queue are: REROLL_DATABASE_URL, REROLL_REDIS_URL. Default: embedded. */
  env?: NodeJS.ProcessEnv;
  /** Make the run leave early. */
  signals?: { drain?: AbortSignal; force?: AbortSignal };
}

/** Runs a pipeline in `dir`, in a state folder of its own, to its end. */
export async function runPipeline(dir: string, config: object, options: RunOptions = {}): Promise<Ran> {
  const { name = 'a' } = options;
  const file = join(dir, `${name}.yaml`);
  await writeFile(file, stringify(config));
  const loaded = await loadPipeline(file, { env: {}, set: [`output.dir=${join(dir, `out-${name}`)}`] });
  return carry(dir, options, async (state) => newRun(state, loaded));
}

/** Goes on with a run in another state folder, as another machine does that shares the database. */
export function resumePipeline(dir: string, run: string, options: RunOptions): Promise<Ran> {
  return carry(dir, options, async (state) => recordedRun(state, await findUnfinished(state, run), {}));
}

async function carry(
  dir: string,
  options: RunOptions,
  taskIn: (state: State) => Promise<Task>,
): Promise<Ran> {
  const never = new AbortController().signal;
  const { name = 'a', onEvent, env = {} } = options;
  const signals = { drain: never, force: never, ...options.signals };
  const events: RunEvent[] = [];
  const { summary, shots } = await opening(async (releasers) => {
    const state = await openState(await freshHome(join(dir, `home-${name}`)), env);
    releasers.add(() => state.close());
    releasers.add(state.events.listen((event) => events.push(event)));
    if (onEvent) releasers.add(state.events.listen(onEvent));
    const { classifier } = options;
    const here = new RunHere(state, classifier && { openClassifier: async () => classifier });
    releasers.add(() => here.stop({ force: true }));
    signals.drain.addEventListener('abort', () => void here.stop({ force: false }));
    signals.force.addEventListener('abort', () => void here.stop({ force: true }));
    const run = await here.take(await taskIn(state), { env: {}, signal: never });
    const summary = (await here.ended(run.id))!;
    const shots: ShotRecord[] = [];
    for await (const shot of state.ledger.shots(run.id)) shots.push(shot);
    await releasers.close();
    return { summary, shots };
  });
  const text = summary.manifest === undefined ? '' : await readFile(summary.manifest, 'utf8');
  const manifest = text
    .trimEnd()
    .split('\n')
    .filter(Boolean)
    .map((line) => withoutTimesAndServers(JSON.parse(line)) as ManifestLine);
  return { summary, manifest, shots, events };
}
