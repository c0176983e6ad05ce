import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ShotRecord } from '../ledger/index.js';
import { readTruth } from '../../sketch/index.js';
import type { Output } from './output.js';

/** What was delivered, against what would have been without a gate: known because sketch servers know what they drew. */
export interface TruthComparison {
  accepted: number;
  /** Of the accepted, how many are really bad. */
  badAccepted: number;
  /** First attempts: what a run without a gate would have delivered. */
  firstAttempts: number;
  badFirstAttempts: number;
}

/** Reads the truth out of a run's published and rejected drawings. Counts only files that are there. */
export async function compareWithTruth(
  output: Output,
  shots: AsyncIterable<ShotRecord>,
): Promise<TruthComparison> {
  const truth = { accepted: 0, badAccepted: 0, firstAttempts: 0, badFirstAttempts: 0 };
  for await (const shot of shots) {
    const kept = shot.published === undefined ? undefined : await isBad(join(output.folder, shot.published));
    if (shot.outcome === 'accepted' && kept !== undefined) {
      truth.accepted++;
      if (kept) truth.badAccepted++;
    }
    const first = shot.attempts[0];
    const firstFile = first && output.fileOf(shot, first);
    const firstBad = firstFile === undefined ? undefined : await isBad(join(output.folder, firstFile));
    if (firstBad !== undefined) {
      truth.firstAttempts++;
      if (firstBad) truth.badFirstAttempts++;
    }
  }
  return truth;
}

async function isBad(file: string): Promise<boolean | undefined> {
  const bytes = await readFile(file).catch(() => undefined);
  const drawing = bytes && readTruth(bytes);
  return drawing && drawing.truth.anatomy === 'bad';
}
