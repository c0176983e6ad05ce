import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { z } from 'zod';

import { ModelError, systemCode } from '../errors.js';
import { writeAtomically } from './atomic.js';

/** What reroll leaves beside the files of a model, written last: a folder without it is unfinished. */
export const manifestFile = 'reroll.json';

const verification = z.object({
  /** The variant that was compared with. */
  reference: z.string(),
  images: z.number(),
  /** Share of images on which both name the same most probable label, 0 to 1. */
  agreement: z.number(),
  /** The largest difference of one label's probability, 0 to 1. */
  largestDifference: z.number(),
  /** False: the variant is refused. */
  passed: z.boolean(),
});

const variant = z.object({
  /** Path below the model's folder. */
  file: z.string(),
  /** Bytes, external data included. */
  bytes: z.number(),
  sha256: z.string(),
  verified: verification.optional(),
});

const manifest = z.object({
  /** The Hub's repository, or the folder that was converted. */
  source: z.string(),
  /** The Hub's commit, or the first 12 hex digits of the weights' SHA-256. */
  revision: z.string(),
  license: z.string().optional(),
  /** `converted`: the ONNX files are reroll's own; `published`: they came with the repository. */
  made: z.enum(['converted', 'published']).default('published'),
  /** By dtype: fp32, fp16, q8, int8, ... */
  variants: z.record(z.string(), variant).default({}),
});

export type Verification = z.infer<typeof verification>;
export type VariantFile = z.infer<typeof variant>;
export type Manifest = z.infer<typeof manifest>;

/** The folder's manifest; undefined where it has none. Throws ModelError where it is broken. */
export async function readManifest(folder: string): Promise<Manifest | undefined> {
  const path = join(folder, manifestFile);
  try {
    return manifest.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw new ModelError(
      `${path} is broken: it must have a source and a revision. Pull or convert the model again`,
      { cause: error },
    );
  }
}

export async function writeManifest(folder: string, content: Manifest): Promise<void> {
  await writeAtomically(join(folder, manifestFile), `${JSON.stringify(content, null, 2)}\n`);
}
