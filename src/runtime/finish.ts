import { join } from 'node:path';
import type { Ledger } from '../ledger/index.js';
import { isOver, type RunState } from '../loop/index.js';
import type { Pipeline } from '../pipeline/index.js';
import { firstPage, writeManifest } from '../report/index.js';
import { reportRun } from './report.js';
import type { State } from './state.js';
import type { TruthComparison } from './truth.js';

/** How a run stands when a command leaves it: the one object of `run --json`. */
export interface RunSummary {
  run: string;
  state: RunState;
  shots: number;
  accepted: number;
  exhausted: number;
  failed: number;
  cancelled: number;
  attempts: number;
  /** Of those, the ones that were judged before this process resumed the run. Absent where there are none. */
  attemptsBefore?: number;
  /** Images in review/, for a person to look at. */
  review: number;
  /** The state folder. */
  home: string;
  outputDir: string;
  /** Absent where the run is not over yet. */
  manifest?: string;
  report?: string;
  /** What was true: only sketch servers know. */
  truth?: TruthComparison;
  /** That this process worked on it. */
  seconds: number;
}

/** What this process did for a run. */
export interface Worked {
  seconds: number;
  /** Attempts that were judged before it took the run on. */
  attemptsBefore: number;
}

const nothingYet: Worked = { seconds: 0, attemptsBefore: 0 };

/**
 * Closes a run whose shots have all ended: manifest, report, state. A run that is not over is left as it is.
 * Repeating it writes the same files again.
 */
export async function finishRun(
  state: State,
  id: string,
  pipeline: Pipeline,
  { ledger = state.ledger, ...worked }: Worked & { ledger?: Ledger },
): Promise<RunSummary> {
  const run = await ledger.run(id);
  if (!run) throw new Error(`run ${id} is not in the ledger`);
  if ((await ledger.openShots(id)) > 0) return summaryOf(state, id, worked);
  const folder = join(run.outputDir, id);
  await writeManifest(filesOf(folder).manifest, ledger.shots(id));
  const truth = await reportRun(ledger, run, pipeline, { isOver: true });
  await state.candidates.removeAll(id);
  await ledger.moveRun(id, 'completed');
  return { ...(await summaryOf(state, id, worked)), ...(truth && { truth }) };
}

/** How a run stands. */
export async function summaryOf(state: State, id: string, worked: Worked = nothingYet): Promise<RunSummary> {
  const run = await state.ledger.run(id);
  const progress = await state.ledger.progress(id);
  const outputDir = join(run?.outputDir ?? '', id);
  const { shots, accepted, exhausted, failed, cancelled, attempts } = progress;
  return {
    run: id,
    state: progress.state,
    shots,
    accepted,
    exhausted,
    failed,
    cancelled,
    attempts,
    review: await state.ledger.inReview(id),
    ...(worked.attemptsBefore > 0 && { attemptsBefore: worked.attemptsBefore }),
    home: state.home,
    outputDir,
    ...(isOver(progress.state) && filesOf(outputDir)),
    seconds: Math.round(worked.seconds * 10) / 10,
  };
}

const filesOf = (folder: string) => ({
  manifest: join(folder, 'manifest.jsonl'),
  report: join(folder, firstPage),
});
