import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { Blobs } from '../blobs/index.js';
import { ConfigError, GoneError, systemCode } from '../errors.js';
import type { FileRecord, Ledger, NewShot } from '../ledger/index.js';
import { effectOf, filesOf, workflowOfRepair, type Shot } from '../loop/index.js';
import { traitsOf, type Pipeline } from '../pipeline/index.js';

/** Pictures that shots share are read once: so many are remembered while a run is recorded, so that memory stays flat. */
const remembered = 1000;

/**
 * The files that a run's pipeline names (workflows, start pictures, masks), as they were when the run was recorded:
 * what is edited later is not seen. They are kept as blobs, in the state folder.
 */
export class RunFiles {
  readonly #from: { ledger: Ledger; blobs: Blobs };
  #run: string | undefined;
  readonly #kept = new Map<string, FileRecord>();

  /** Of a recorded run, or of one that will be. */
  constructor(from: { ledger: Ledger; blobs: Blobs }, run?: string) {
    this.#from = from;
    this.#run = run;
  }

  /** A file's bytes. Throws as the file system does; GoneError where they are lost. */
  readonly read = async (path: string): Promise<Buffer> => {
    const { ledger, blobs } = this.#from;
    const sha256 =
      this.#run === undefined
        ? (await this.#keep(path)).sha256
        : (await ledger.file(this.#run, path))?.sha256;
    // Runs of versions that kept no files.
    if (sha256 === undefined) return readFile(path);
    const bytes = (await blobs.get(sha256)) ?? (await readFile(path).catch(() => undefined));
    if (bytes && digest(bytes) === sha256) return bytes;
    throw new GoneError(
      `${path}, as it was when ${this.#run ?? 'the run'} was recorded, is not in this state folder, and the file is another now`,
    );
  };

  /** Those that the pipeline itself names, kept from here on. */
  async named(pipeline: Pipeline): Promise<FileRecord[]> {
    const files = [];
    for (const path of pathsIn(pipeline)) files.push(await this.#keep(path));
    return files;
  }

  /** Those that a changed pipeline of a recorded run names for the first time. */
  async added(pipeline: Pipeline): Promise<FileRecord[]> {
    const files = [];
    for (const path of pathsIn(pipeline)) {
      if (this.#run !== undefined && (await this.#from.ledger.file(this.#run, path))) continue;
      const missing = new ConfigError(`${path}, which the changed pipeline names, cannot be read.`);
      files.push(
        await this.#keep(path).catch((error: unknown) => {
          throw systemCode(error) === undefined ? error : missing;
        }),
      );
    }
    return files;
  }

  /** The shots, each with the files that it names, kept. */
  async *keepingOf(shots: AsyncIterable<Shot>): AsyncGenerator<NewShot> {
    for await (const shot of shots) {
      const files = [];
      for (const path of filesOf(shot.request)) files.push(await this.#keep(path));
      yield files.length > 0 ? { ...shot, files } : shot;
    }
  }

  /** From here on the ledger says what they are. */
  recordedAs(run: string): void {
    this.#run = run;
    this.#kept.clear();
  }

  /** Those of a recorded run that are not what they were: to tell the user, who may have hoped to change the run. */
  async *changed(): AsyncGenerator<{ path: string; isGone: boolean }> {
    if (this.#run === undefined) return;
    for await (const { path, sha256, bytes, modifiedMs } of this.#from.ledger.files(this.#run)) {
      const now = await stat(path).catch(() => undefined);
      if (now?.size === bytes && now.mtimeMs === modifiedMs) continue;
      const content = now && (await readFile(path).catch(() => undefined));
      if (!content || digest(content) !== sha256) yield { path, isGone: !now };
    }
  }

  async #keep(path: string): Promise<FileRecord> {
    const known = this.#kept.get(path);
    if (known) return known;
    const { size, mtimeMs } = await stat(path);
    const bytes = await readFile(path);
    if (bytes.length !== size) {
      throw new ConfigError(
        `${path} is being written just now. Wait until it is whole, then start the run again.`,
      );
    }
    const record = { path, sha256: await this.#from.blobs.put(bytes), bytes: size, modifiedMs: mtimeMs };
    this.#kept.set(path, record);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > remembered && oldest !== undefined) this.#kept.delete(oldest);
    return record;
  }
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What a pipeline itself names, each once. */
function pathsIn({ backends, retry }: Pipeline): Set<string> {
  return new Set([
    ...backends.flatMap((backend) => Object.values(traitsOf(backend).files)),
    ...retry.ladder.flatMap((rung) => {
      const { changes = {}, repair } = effectOf(rung);
      const workflow = repair && workflowOfRepair(repair);
      return [...filesOf(changes), ...(workflow ? [workflow] : [])];
    }),
  ]);
}
