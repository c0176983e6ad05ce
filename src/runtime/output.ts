import { extname, join } from 'node:path';
import type { Attempt, Run, ShotRecord } from '../ledger/index.js';
import type { Decision } from '../loop/index.js';
import { renderFilename, type Pipeline } from '../pipeline/index.js';

/**
 * Where the images of a run go, below its folder. A pure function of the attempt: writing it twice lands on
 * the same path. Paths use `/`.
 */
export class Output {
  /** The run's folder. */
  readonly folder: string;
  readonly #template: string;
  readonly #keepRejected: boolean;

  constructor(
    private readonly run: Pick<Run, 'id' | 'outputDir' | 'createdAt'>,
    { output }: Pick<Pipeline, 'output'>,
  ) {
    this.folder = join(run.outputDir, run.id);
    this.#template = output.filename;
    this.#keepRejected = output.keep_rejected;
  }

  /** The path of an attempt that is published, or laid aside because of its decision; undefined: not kept. */
  pathOf(
    shot: ShotRecord,
    attempt: Attempt,
    as: 'published' | Exclude<Decision, 'accept'>,
  ): string | undefined {
    if (!attempt.candidate) return undefined;
    const name = renderFilename(this.#template, {
      run: this.run.id,
      prompt: shot.prompt,
      shot: shot.index,
      seed: attempt.candidate.seed,
      attempt: attempt.number,
      // The run's day, not today's: an image that is written again after midnight keeps its name.
      date: this.run.createdAt.toISOString().slice(0, 10),
      backend: attempt.backend ?? '',
      checkpoint: attempt.request.checkpoint ?? '',
    });
    const file = name + extname(attempt.candidate.file);
    if (as === 'published') return file;
    if (as === 'review') return `review/${attempt.number}/${file}`;
    return this.#keepRejected ? `rejected/${attempt.number}/${file}` : undefined;
  }

  /** Where the image of a judged attempt lies now. */
  fileOf(shot: ShotRecord, attempt: Attempt): string | undefined {
    if (attempt.number === shot.kept) return shot.published;
    const decision = attempt.verdict?.decision;
    return decision && decision !== 'accept' ? this.pathOf(shot, attempt, decision) : undefined;
  }
}
