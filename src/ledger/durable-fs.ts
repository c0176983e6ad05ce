import { closeSync, fdatasyncSync, fsyncSync, openSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { NodeFS } from '@electric-sql/pglite/nodefs';

/** As much of Emscripten's NODEFS as is used here: https://emscripten.org/docs/api_reference/Filesystem-API.html */
interface EmscriptenFs {
  realPath(node: object): string;
  node_ops: Operations;
  stream_ops: Operations;
}
type Operations = Record<string, (...values: never[]) => unknown>;
type Stream = { node: object; nfd: number };

/** A segment of PostgreSQL's write-ahead log. */
const isLog = (path: string): boolean =>
  basename(dirname(path)) === 'pg_wal' && /^[0-9A-F]{24}$/.test(basename(path));

/** Operations that change what is there, in either table. Creating an empty file harms nothing. */
const changes = {
  node_ops: ['rename', 'unlink', 'rmdir', 'setattr'],
  stream_ops: ['setattr', 'write'],
} as const;

/**
 * PGlite's folder, with what Emscripten leaves out: fsync. PostgreSQL syncs its log at every commit and its other files
 * at checkpoints. The latter is done at once. The former is put off until `settle`, so that many commits share one,
 * and it does not hold the event loop: whoever answers a commit must wait for it. What is put off is made good before
 * any other file changes, since a page may reach the disk only after the log that can repair it.
 */
export class DurableFs extends NodeFS {
  /** Logs that are not synced yet, each with the number of the commit that asked for it last. */
  readonly #put = new Map<string, number>();
  #commits = 0;
  #log: { path: string; handle: FileHandle } | undefined;

  override async init(...given: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
    const { emscriptenOpts } = await super.init(...given);
    const preRun = [...(emscriptenOpts.preRun ?? [])];
    preRun.push((module) => this.#attach((module as unknown as { NODEFS: EmscriptenFs }).NODEFS));
    return { emscriptenOpts: { ...emscriptenOpts, preRun } };
  }

  /** Whether a commit waits for `settle`. */
  get isPending(): boolean {
    return this.#put.size > 0;
  }

  /** Resolves when all that was committed before the call is on the disk. Rejects where it may never be. */
  async settle(): Promise<void> {
    for (const [path, commit] of [...this.#put]) {
      await (await this.#open(path)).datasync();
      if (this.#put.get(path) === commit) this.#put.delete(path);
    }
  }

  override async closeFs(): Promise<void> {
    await super.closeFs();
    await this.#log?.handle.close();
    this.#log = undefined;
  }

  #attach(fs: EmscriptenFs): void {
    const pathOf = ({ node }: Stream) => fs.realPath(node);
    for (const table of ['node_ops', 'stream_ops'] as const) {
      for (const name of changes[table]) {
        const change = fs[table][name] as (...values: unknown[]) => unknown;
        fs[table][name] = (...values: unknown[]) => {
          if (this.isPending && !(name === 'write' && isLog(pathOf(values[0] as Stream)))) this.#settleNow();
          return change(...values);
        };
      }
    }
    // Emscripten sets the mode of every new file after it made it: whatever it is, the file is nobody else's.
    const set = fs.node_ops['setattr'] as (node: object, attributes: { mode?: number }) => void;
    fs.node_ops['setattr'] = (node: object, attributes: { mode?: number }) =>
      set(
        node,
        attributes.mode === undefined ? attributes : { ...attributes, mode: attributes.mode & ~0o077 },
      );
    fs.stream_ops['fsync'] = (stream: Stream) => {
      const path = pathOf(stream);
      if (isLog(path)) this.#put.set(path, ++this.#commits);
      else {
        this.#settleNow();
        fsyncSync(stream.nfd);
      }
      return 0;
    };
  }

  #settleNow(): void {
    for (const path of this.#put.keys()) {
      const fd = openSync(path, 'r+');
      try {
        fdatasyncSync(fd);
      } finally {
        closeSync(fd);
      }
    }
    this.#put.clear();
  }

  /** PostgreSQL closes its own as it likes, so this has one of its own; a log lasts for thousands of commits. */
  async #open(path: string): Promise<FileHandle> {
    if (this.#log?.path !== path) {
      await this.#log?.handle.close();
      this.#log = { path, handle: await open(path, 'r+') };
    }
    return this.#log.handle;
  }
}
