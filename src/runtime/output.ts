import { extname, join } from 'node:path';
import { moveDurably } from '../base/atomic.js';
import { storing } from '../base/storage.js';
import { GoneError, StorageError, systemCode } from '../errors.js';
import { publish, type Provenance } from '../images/index.js';
import type { Attempt, Ledger, Run, ShotRecord } from '../ledger/index.js';
import type { Decision } from '../loop/index.js';
import { otherNames, renderFilename, slugOf, type Pipeline } from '../pipeline/index.js';
import { writeThumbnail } from '../report/index.js';

/** Published, or laid aside because of its decision. */
export type Place = 'published' | Exclude<Decision, 'accept'>;

/** Where the images of a run go, below its folder. Paths use `/`. */
export class Output {
  /** The run's folder. */
  readonly folder: string;
  readonly #template: string;
  readonly #keepRejected: Pipeline['output']['keep_rejected'];
  /** By shot and wanted path. */
  #renamed: ReadonlyMap<string, string> = new Map();

  readonly #run: Pick<Run, 'id' | 'outputDir' | 'createdAt' | 'shots'>;
  readonly #ledger: Pick<Ledger, 'claimPath' | 'renamedPaths'>;

  constructor(
    run: Pick<Run, 'id' | 'outputDir' | 'createdAt' | 'shots'>,
    { output }: Pick<Pipeline, 'output'>,
    ledger: Pick<Ledger, 'claimPath' | 'renamedPaths'>,
  ) {
    this.#run = run;
    this.#ledger = ledger;
    this.folder = join(run.outputDir, run.id);
    this.#template = output.filename;
    this.#keepRejected = output.keep_rejected;
  }

  /**
   * Writes the image of an attempt where it belongs and returns its path; undefined: it is not kept. The path is the
   * shot's own before anything is written, in the ledger and on the disk: where another shot, or a file that is none
   * of the run's, has the name, the next one is taken. Repeating it writes the same file again.
   */
  async put(
    shot: ShotRecord,
    attempt: Attempt,
    as: Place,
    image: () => Promise<{ bytes: Buffer; provenance: Provenance }>,
  ): Promise<string | undefined> {
    if (as === 'reject' && this.#keepRejected === 'thumbnails') await this.#putThumbnail(attempt, image);
    const wanted = this.#wanted(shot, attempt, as);
    if (wanted === undefined) return undefined;
    const made = await image();
    for (const relativePath of otherNames(wanted, shot.index)) {
      if (!(await this.#ledger.claimPath(this.#run.id, shot.index, relativePath, wanted))) continue;
      const published = await publish({ folder: this.folder, relativePath, ...made });
      if (published) return relativePath;
    }
    throw new StorageError(
      `cannot publish shot ${shot.index}: ${join(this.folder, wanted)} and the names like it are taken by other files. Move them away, then run \`reroll resume\`.`,
    );
  }

  /** Only the report shows it: where the image is gone already, nothing is lost by it. */
  async #putThumbnail(attempt: Attempt, image: () => Promise<{ bytes: Buffer }>): Promise<void> {
    try {
      const { bytes } = await image();
      await writeThumbnail(this.folder, attempt, bytes);
    } catch (error) {
      if (!(error instanceof GoneError)) throw error;
    }
  }

  /**
   * An image that was published though it was rejected, until a later attempt was better: goes to the rejected ones,
   * with what lies beside it. One that a person took away, or that lies in review, stays where it is.
   */
  async supersede(path: string, number: number): Promise<void> {
    if (path.startsWith('review/')) return;
    for (const file of [path, `${path}.json`]) {
      const [from, to] = [join(this.folder, file), join(this.folder, 'rejected', String(number), file)];
      await storing('move', from, () =>
        moveDurably(from, to).catch((error: unknown) => {
          if (systemCode(error) !== 'ENOENT') throw error;
        }),
      );
    }
  }

  /** Before `fileOf`: learns which files are not called as was wanted. */
  async learnNames(): Promise<void> {
    const renamed = await this.#ledger.renamedPaths(this.#run.id);
    this.#renamed = new Map(renamed.map(({ shot, wanted, path }) => [`${shot} ${wanted}`, path]));
  }

  /** Where the image of a judged attempt lies now. */
  fileOf(shot: ShotRecord, attempt: Attempt): string | undefined {
    if (attempt.number === shot.kept) return shot.published;
    const decision = attempt.verdict?.decision;
    if (!decision || decision === 'accept') return undefined;
    const wanted = this.#wanted(shot, attempt, decision);
    return wanted === undefined ? undefined : (this.#renamed.get(`${shot.index} ${wanted}`) ?? wanted);
  }

  /** The path that an image has unless another shot has it: a pure function of the attempt. */
  #wanted(shot: ShotRecord, attempt: Attempt, as: Place): string | undefined {
    if (!attempt.candidate || (as === 'reject' && this.#keepRejected !== true)) return undefined;
    const name = renderFilename(this.#template, {
      run: this.#run.id,
      prompt: shot.prompt,
      shot: String(shot.index).padStart(String(this.#run.shots).length, '0'),
      slug: slugOf(shot.request.prompt),
      seed: attempt.candidate.seed,
      attempt: attempt.number,
      // The run's day, not today's: an image that is written again after midnight keeps its name.
      date: this.#run.createdAt.toISOString().slice(0, 10),
      backend: attempt.backend ?? '',
      checkpoint: attempt.request.checkpoint ?? '',
    });
    const file = name + extname(attempt.candidate.file);
    if (as === 'published') return file;
    return `${as === 'review' ? 'review' : 'rejected'}/${attempt.number}/${file}`;
  }
}
