import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import { systemCode } from '../errors.js';
import { makeFolder, writeAtomically } from '../base/atomic.js';
import { storing } from '../base/storage.js';
import { pathInside, realFolder } from './files.js';
import { addTextChunk, isPng, readTextChunks, withoutText } from './png.js';

/** The keyword of the text chunk that says how a published image was made. */
export const provenanceKeyword = 'reroll';

export type Provenance = { [key: string]: unknown };

/**
 * Publishes an accepted image below `folder`: the server's own bytes, its infotext untouched, and the
 * provenance as JSON. In a PNG that is one more text chunk; a JPEG or WebP stays as it is to the byte and
 * the provenance lies beside it in `<file>.json`. Repeating it writes the same file again. Where a file lies
 * that is not the same shot's (`run` and `shot` of its provenance), nothing is written: undefined.
 * Throws ConfigError where the path leads out of the folder, StorageError where it cannot be written.
 */
export async function publish(image: {
  /** Absolute; made if there is none. */
  folder: string;
  /** Below `folder`, with extension. */
  relativePath: string;
  bytes: Buffer;
  provenance: Provenance;
}): Promise<{ path: string; sha256: string } | undefined> {
  await storing('make the folder', image.folder, () => makeFolder(image.folder, false));
  const path = await pathInside(await realFolder(image.folder), image.relativePath);
  const json = JSON.stringify(image.provenance);
  const beside = `${path}.json`;
  const files = isPng(image.bytes) ? [path] : [path, beside];
  for (const file of files) if (!(await isFreeFor(image.provenance, file))) return undefined;
  let bytes = image.bytes;
  // The first of a keyword counts: a server's own of that name would be read in the place of ours.
  if (isPng(bytes))
    bytes = addTextChunk(withoutText(bytes, provenanceKeyword), provenanceKeyword, asciiJson(json));
  // First: where the picture is, its provenance is.
  else await writeAtomically(beside, `${json}\n`);
  await writeAtomically(path, bytes);
  return { path, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Whether nothing has this name, or a file of the same shot. */
async function isFreeFor({ run, shot }: Provenance, path: string): Promise<boolean> {
  const stat = await storing('look at', path, () =>
    fs.lstat(path).catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT') throw error;
      return undefined;
    }),
  );
  if (stat === undefined) return true;
  const there = stat.isFile() ? await readProvenance(path) : undefined;
  return there !== undefined && there['run'] === run && there['shot'] === shot;
}

/** What a file that we may have written says of itself; undefined where we have not. */
export async function readProvenance(path: string): Promise<Provenance | undefined> {
  try {
    const bytes = await fs.readFile(path);
    const beside = async () => (path.endsWith('.json') ? bytes : fs.readFile(`${path}.json`));
    const text = isPng(bytes) ? readTextChunks(bytes).get(provenanceKeyword) : (await beside()).toString();
    const value: unknown = JSON.parse(text ?? '');
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** The same JSON in ASCII, so that it fits a tEXt chunk, which more tools read than iTXt. */
const asciiJson = (json: string): string =>
  json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
