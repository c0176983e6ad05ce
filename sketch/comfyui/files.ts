import { createHash } from 'node:crypto';
import { posix } from 'node:path';

export type Folder = 'input' | 'output' | 'temp';

export const isFolder = (name: string): name is Folder => ['input', 'output', 'temp'].includes(name);

/** Files kept of each folder: the oldest are forgotten, so that a long run does not fill the memory. */
const kept = 256;

/** The input, output and temp folders, in memory. They outlive a restart, as files on a disk do. */
export class Files {
  readonly #folders: Record<Folder, Map<string, Buffer>> = {
    input: new Map(),
    output: new Map(),
    temp: new Map(),
  };
  readonly #counters = new Map<string, number>();

  read(folder: Folder, path: string): Buffer | undefined {
    return this.#folders[folder].get(posix.normalize(path));
  }

  write(folder: Folder, path: string, bytes: Buffer): void {
    const files = this.#folders[folder];
    files.set(posix.normalize(path), bytes);
    const [oldest] = files.keys();
    if (files.size > kept && oldest !== undefined) files.delete(oldest);
  }

  hash(folder: Folder, path: string): string {
    const bytes = this.read(folder, path);
    return bytes === undefined ? 'missing' : createHash('sha256').update(bytes).digest('hex');
  }

  inputNames(): string[] {
    return [...this.#folders.input.keys()].sort();
  }

  /** The next free place for `prefix`, which may contain folders. @throws Error for one outside the folder. */
  nextImage(folder: Folder, prefix: string): { subfolder: string; filename: string } {
    const path = posix.normalize(prefix);
    if (leaves(path)) {
      throw new Error('**** ERROR: Saving image outside the output folder is not allowed.');
    }
    const key = `${folder}/${path}`;
    const counter = (this.#counters.get(key) ?? 0) + 1;
    this.#counters.set(key, counter);
    const subfolder = posix.dirname(path);
    return {
      subfolder: subfolder === '.' ? '' : subfolder,
      filename: `${posix.basename(path)}_${String(counter).padStart(5, '0')}_.png`,
    };
  }
}

/** Whether a relative path leads out of its folder. */
export function leaves(path: string): boolean {
  return posix.isAbsolute(path) || posix.normalize(path).split('/')[0] === '..';
}

/** LoadImage's `name [output]`: folder and path. Without a suffix it means the input folder. */
export function annotated(name: string): [Folder, string] {
  const match = /^(.*) ?\[(input|output|temp)\]$/.exec(name);
  const folder = match?.[2];
  if (match === null || folder === undefined || !isFolder(folder)) return ['input', name];
  return [folder, (match[1] ?? '').trimEnd()];
}
