import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunState } from '../loop/index.js';
import type { Pipeline } from '../pipeline/index.js';
import { writeManifest, writeReport } from '../report/index.js';
import type { State } from './state.js';
import { Output } from './output.js';
import { compareWithTruth, type TruthComparison } from './truth.js';

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

/**
 * Closes a run whose shots have all ended: manifest, report, state. A run that is not over is left as it is.
 * Repeating it writes the same files again.
 */
export async function finishRun(
  home: State,
  id: string,
  pipeline: Pipeline,
  seconds: number,
  attemptsBefore = 0,
): Promise<RunSummary> {
  const { ledger, candidates } = home;
  const run = await ledger.run(id);
  if (!run) throw new Error(`run ${id} is not in the ledger`);
  const output = new Output(run, pipeline, ledger);
  const outputDir = output.folder;
  const open = await ledger.openShots(id);
  await output.learnNames();
  let files: Pick<RunSummary, 'manifest' | 'report' | 'truth'> = {};
  if (open === 0) {
    await mkdir(outputDir, { recursive: true });
    const manifest = join(outputDir, 'manifest.jsonl');
    await writeManifest(manifest, ledger.shots(id));
    // Without the rejected drawings nobody can say what a run without a gate would have delivered.
    const isKnown = pipeline.output.keep_rejected && pipeline.backends.some(({ kind }) => kind === 'sketch');
    const truth = isKnown ? await compareWithTruth(output, ledger.shots(id)) : undefined;
    const report = join(outputDir, 'report.html');
    await writeReport(report, {
      run: id,
      name: pipeline.name,
      model: pipeline.gate.models.join(', '),
      folder: outputDir,
      shots: () => ledger.shots(id),
      fileOf: (shot, attempt) => output.fileOf(shot, attempt),
      ...(truth && { truth }),
    });
    await candidates.removeAll(id);
    await ledger.moveRun(id, 'completed');
    files = { manifest, report, ...(truth && { truth }) };
  }
  const progress = await ledger.progress(id);
  const { state, shots, accepted, exhausted, failed, cancelled, attempts } = progress;
  return {
    run: id,
    state,
    shots,
    accepted,
    exhausted,
    failed,
    cancelled,
    attempts,
    ...(attemptsBefore > 0 && { attemptsBefore }),
    home: home.home,
    outputDir,
    ...files,
    seconds: Math.round(seconds * 10) / 10,
  };
}
