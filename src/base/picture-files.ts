import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { storageError } from './storage.js';

export const isPictureName = (path: string): boolean => /\.(png|jpe?g|webp)$/i.test(path);
/** Pictures that reroll does not read: whoever has them in a folder should not wonder where they are. */
const otherPicture = /\.(gif|bmp|tiff?|avif|heic|heif|jxl|jp2|psd|tga|svg|exr|hdr|dng|cr2|nef|arw|ico)$/i;

/**
 * The pictures below a folder, by name. `onSkipped` hears in the end of those of other formats. No more is held than the
 * names in one folder: millions of files are fine. Links are followed; a folder that lies in itself is seen once.
 */
export async function* picturesBelow(
  folder: string,
  onSkipped: (message: string) => void,
): AsyncGenerator<string> {
  const skipped = new Map<string, number>();
  for await (const path of filesBelow(folder)) {
    const kind = otherPicture.exec(path)?.[0].toLowerCase();
    if (kind !== undefined) skipped.set(kind, (skipped.get(kind) ?? 0) + 1);
    if (isPictureName(path)) yield path;
  }
  if (skipped.size === 0) return;
  const words = [...skipped].map(([kind, count]) => `${count} ${kind}`).join(', ');
  onSkipped(`${folder}: ${words} left out: reroll takes PNG, JPEG and WebP.`);
}

/** `above`: the real paths of the folders that lead to it. */
export async function* filesBelow(folder: string, above: readonly string[] = []): AsyncGenerator<string> {
  const real = await realpath(folder).catch(() => folder);
  if (above.includes(real)) return;
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw storageError('read the folder', folder, error);
  });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    // A link is what it leads to; one that leads nowhere is nothing.
    const kind = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry;
    if (kind?.isDirectory()) yield* filesBelow(path, [...above, real]);
    else if (kind?.isFile()) yield path;
  }
}
