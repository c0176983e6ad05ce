import { chmod, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Files that are open at a time. macOS gives a process 256. */
const atOnce = 32;

/** Lets nobody but its owner read or change a folder and what is in it. Answers how many of them were open to others. */
export async function closeToOthers(folder: string): Promise<number> {
  // Windows has no such modes.
  if (process.platform === 'win32') return 0;
  let closed = 0;
  await eachOf(await treeOf(folder), async (path) => {
    const entry = await lstat(path).catch(() => undefined);
    if (!entry || entry.isSymbolicLink() || (entry.mode & 0o077) === 0) return;
    await chmod(path, entry.mode & 0o700);
    closed++;
  });
  return closed;
}

/** Resolves when the folder and all that is in it is on the disk. */
export async function syncTree(folder: string): Promise<void> {
  await eachOf(await treeOf(folder), syncEntry);
}

/** The file is on the disk, or the names in the folder are. */
export async function syncEntry(path: string): Promise<void> {
  // It cannot open folders, and needs no such thing.
  if (process.platform === 'win32' && (await lstat(path)).isDirectory()) return;
  const handle = await open(path, process.platform === 'win32' ? 'r+' : 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A folder and all below it; links are not followed. */
async function treeOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true });
  return [folder, ...entries.map((entry) => join(folder, entry))];
}

async function eachOf(paths: readonly string[], work: (path: string) => Promise<void>): Promise<void> {
  for (let from = 0; from < paths.length; from += atOnce) {
    await Promise.all(paths.slice(from, from + atOnce).map(work));
  }
}
