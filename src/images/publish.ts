import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import { pathInside, storing, writeAtomically } from './files.js';
import { addTextChunk, isPng } from './png.js';

/** The keyword of the text chunk that says how a published image was made. */
export const provenanceKeyword = 'reroll';

export type Provenance = { [key: string]: unknown };

/**
 * Publishes an accepted image below `folder`: the server's own bytes, its infotext untouched, and the
 * provenance as JSON. In a PNG that is one more text chunk; a JPEG or WebP stays as it is to the byte and
 * the provenance lies beside it in `<file>.json`. Repeating it writes the same file again.
 * Throws ConfigError where the path leads out of the folder, StorageError where it cannot be written.
 */
export async function publish(image: {
  /** Absolute; made if there is none. */
  folder: string;
  /** Below `folder`, with extension. */
  relativePath: string;
  bytes: Buffer;
  provenance: Provenance;
}): Promise<{ path: string; sha256: string }> {
  await storing('make the folder', image.folder, () => fs.mkdir(image.folder, { recursive: true }));
  const path = await pathInside(image.folder, image.relativePath);
  const json = JSON.stringify(image.provenance);
  let bytes = image.bytes;
  if (isPng(bytes)) bytes = addTextChunk(bytes, provenanceKeyword, asciiJson(json));
  // First: where the picture is, its provenance is.
  else await writeAtomically(`${path}.json`, `${json}\n`);
  await writeAtomically(path, bytes);
  return { path, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** The same JSON in ASCII, so that it fits a tEXt chunk, which more tools read than iTXt. */
const asciiJson = (json: string): string =>
  json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
