import type { LabelScore } from '../base/scores.js';
import { ModelError } from '../errors.js';
import { readManifest, type Verification, writeManifest } from '../base/model-manifest.js';

/** What a variant must keep to. */
export interface Bounds {
  /** At least this share of images with the same most probable label, 0 to 1. */
  agreement: number;
  /** No label's probability may differ by more, 0 to 1. */
  largestDifference: number;
}

/** A gate decides by thresholds on probabilities: both its labels and its numbers must stay. */
export const defaultBounds: Bounds = { agreement: 0.98, largestDifference: 0.2 };

export interface VerifyOptions<Image> {
  /** The probability of every label, most probable first, by one variant of the model. */
  classify: (dtype: string, image: Image, signal?: AbortSignal) => Promise<readonly LabelScore[]>;
  /** The variant that is tested. Default q8. */
  dtype?: string;
  /** What it is compared with. Default fp32. */
  reference?: string;
  bounds?: Partial<Bounds>;
  signal?: AbortSignal;
  /** Called after each image with how many are done. */
  onProgress?: (images: number) => void;
}

/**
 * Compares two variants of a model on the images, and records the outcome in the folder's reroll.json, where it has
 * one: a variant that fails is refused from then on. Throws ModelError where there are no images.
 */
export async function verifyModel<Image>(
  folder: string,
  images: Iterable<Image> | AsyncIterable<Image>,
  options: VerifyOptions<Image>,
): Promise<Verification> {
  const { classify, dtype = 'q8', reference = 'fp32', signal } = options;
  const bounds = { ...defaultBounds, ...options.bounds };
  let count = 0;
  let same = 0;
  let largestDifference = 0;
  for await (const image of images) {
    signal?.throwIfAborted();
    const expected = await classify(reference, image, signal);
    const found = await classify(dtype, image, signal);
    if (expected[0]?.label === found[0]?.label) same++;
    const scores = new Map(found.map(({ label, score }) => [label, score]));
    for (const { label, score } of expected) {
      const difference = Math.abs(score - (scores.get(label) ?? NaN));
      // A label that is missing, or a score that is no number, is the largest difference there is.
      largestDifference = Math.max(largestDifference, Number.isNaN(difference) ? 1 : difference);
    }
    count++;
    options.onProgress?.(count);
  }
  if (count === 0) throw new ModelError('There are no images to verify the model on');
  const agreement = same / count;
  const verification: Verification = {
    reference,
    images: count,
    agreement,
    largestDifference,
    passed: agreement >= bounds.agreement && largestDifference <= bounds.largestDifference,
  };
  await record(folder, dtype, verification);
  return verification;
}

async function record(folder: string, dtype: string, verified: Verification): Promise<void> {
  const manifest = await readManifest(folder);
  const variant = manifest?.variants[dtype];
  if (!manifest || !variant) return;
  await writeManifest(folder, {
    ...manifest,
    variants: { ...manifest.variants, [dtype]: { ...variant, verified } },
  });
}
