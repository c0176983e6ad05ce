import { closeSync, fdatasyncSync, fsyncSync, openSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { systemCode } from '../errors.js';

/** As much of Emscripten's NODEFS as is used here: https://emscripten.org/docs/api_reference/Filesystem-API.html */
interface EmscriptenFs {
  realPath(node: Node): string;
  node_ops: Operations;
  stream_ops: Operations;
}
type Operations = Record<string, (...values: never[]) => unknown>;
type Node = { parent: Node };
type Stream = { node: Node; nfd: number };

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
 * any other file changes, since a page may reach the disk only after the log that can repair it. Names of files reach it
 * before the log that goes by them, as PostgreSQL takes for granted: some file systems (btrfs) do so only when asked.
 */
export class DurableFs extends NodeFS {
  /** Logs that are not synced yet, each with the number of the commit that asked for it last. */
  readonly #put = new Map<string, number>();
  #commits = 0;
  /** Folders in which names came or went, and are not synced yet. */
  readonly #renamed = new Set<string>();
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
          if (name === 'write' && isLog(pathOf(values[0] as Stream))) this.#syncNames();
          else if (this.isPending) this.#settleNow();
          return change(...values);
        };
      }
    }
    for (const name of ['mknod', 'unlink', 'rmdir', 'rename']) {
      const change = fs.node_ops[name] as (...values: Node[]) => unknown;
      fs.node_ops[name] = (first: Node, second: Node, ...values: never[]) => {
        const [from, to] = name === 'rename' ? [first.parent, second] : [first, first];
        this.#renamed.add(fs.realPath(from)).add(fs.realPath(to));
        return change(first, second, ...values);
      };
    }
    // Emscripten sets the mode of every new file after it made it: whatever it is, the file is nobody else's.
    const set = fs.node_ops['setattr'] as (node: Node, attributes: { mode?: number }) => void;
    fs.node_ops['setattr'] = (node: Node, attributes: { mode?: number }) =>
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
        this.#renamed.delete(path);
      }
      return 0;
    };
  }

  #settleNow(): void {
    for (const path of this.#put.keys()) syncNow(path, 'r+', fdatasyncSync);
    this.#put.clear();
  }

  #syncNames(): void {
    for (const folder of this.#renamed) syncNow(folder, 'r', fsyncSync);
    this.#renamed.clear();
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

function syncNow(path: string, flags: string, sync: (fd: number) => void): void {
  try {
    const fd = openSync(path, flags);
    try {
      sync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    // A folder that is gone again, or Windows, which cannot open folders and needs no such thing.
    if (flags === 'r+' || !['ENOENT', 'EISDIR', 'EPERM'].includes(systemCode(error) ?? '')) throw error;
  }
}
