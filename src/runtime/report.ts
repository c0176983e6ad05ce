import { join } from 'node:path';
import type { Ledger, Run, ShotRecord } from '../ledger/index.js';
import type { Pipeline } from '../pipeline/index.js';
import { writeReport, type Truth } from '../report/index.js';
import { isOwn } from './connect.js';
import { Output } from './output.js';
import { compareWithTruth } from './truth.js';

export interface ReportOptions {
  /** Every shot has ended: the report says nothing of when it was written, and what was true is looked for. */
  isOver: boolean;
  /** Stops writing: what was there before stays. */
  signal?: AbortSignal;
}

/** Writes a run's report as the run stands now; answers what was true where that is known. Throws StorageError. */
export async function reportRun(
  ledger: Ledger,
  run: Run,
  pipeline: Pipeline,
  { isOver, signal }: ReportOptions,
): Promise<Truth | undefined> {
  const output = new Output(run, pipeline, ledger);
  await output.learnNames();
  // Without the rejected drawings nobody can say what a run without a gate would have delivered.
  const isKnown = isOver && pipeline.output.keep_rejected === true && pipeline.backends.some(isOwn);
  const truth = isKnown ? await compareWithTruth(output, ledger.shots(run.id)) : undefined;
  await writeReport({
    run: run.id,
    name: pipeline.name,
    model: pipeline.gate.models.join(', '),
    folder: join(run.outputDir, run.id),
    ...(!isOver && { asOf: new Date() }),
    shots: until(ledger.shots(run.id), signal),
    fileOf: (shot, attempt) => output.fileOf(shot, attempt),
    ...(truth && { truth }),
  });
  return truth;
}

async function* until(shots: AsyncIterable<ShotRecord>, signal?: AbortSignal): AsyncGenerator<ShotRecord> {
  for await (const shot of shots) {
    signal?.throwIfAborted();
    yield shot;
  }
}
