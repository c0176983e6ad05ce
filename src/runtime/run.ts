import type { Classifier } from '../classifier/index.js';
import type { Run } from '../ledger/index.js';
import type { Pipeline } from '../pipeline/index.js';
import { Execution } from './execution.js';
import { finishRun, type RunSummary } from './finish.js';
import type { State } from './state.js';
import type { Pool } from './pool.js';

/** All that it takes to work a run off. */
export interface Work {
  state: State;
  run: Run;
  pipeline: Pipeline;
  classifier: Classifier;
  pool: Pool;
}

export interface RunSignals {
  /** Take no more work; finish what the servers hold. */
  drain: AbortSignal;
  /** Stop now. */
  force: AbortSignal;
}

/** A run that this process works on: what `pause` and `cancel` reach. */
export interface ActiveRun {
  id: string;
  setPaused(paused: boolean): Promise<void>;
  cancel(): Promise<void>;
}

/**
 * Works a run off until every shot has ended, the run is cancelled, or a signal says to leave.
 * `onActive` gets the handle that pauses and cancels it.
 */
export async function executeRun(
  work: Work,
  signals: RunSignals,
  onActive: (active: ActiveRun) => void | Promise<void>,
): Promise<RunSummary> {
  const { state, run, pipeline } = work;
  const startedAt = performance.now();
  const release = await state.ledger.claimRun(run.id);
  try {
    const { attempts: attemptsBefore } = await state.ledger.progress(run.id);
    const execution = new Execution(work, signals);
    try {
      // Before anybody can pause it: a pause must not be undone by the start.
      await state.ledger.moveRun(run.id, 'running');
      await onActive(execution);
      await execution.start();
      await execution.ending.wait();
    } finally {
      await execution.stop();
    }
    const seconds = (performance.now() - startedAt) / 1000;
    return await finishRun(state, run.id, pipeline, seconds, attemptsBefore);
  } finally {
    await release();
  }
}
