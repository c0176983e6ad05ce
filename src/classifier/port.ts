import type { Scores } from '../base/scores.js';

/** Scores images. Opened once, used for many; `close` frees the model's memory. */
export interface Classifier {
  readonly model: ModelIdentity;
  /** What a person should know of how it judges. */
  readonly notes?: readonly string[];
  /** Every label that the model knows. */
  readonly labels: string[];
  /**
   * The probability of every label, most probable first.
   * Throws ImageError for bytes that are no image within bounds, ModelError where the model gives no probabilities.
   */
  classify(image: Buffer | string, signal?: AbortSignal): Promise<Scores>;
  close(): Promise<void>;
}

export interface ModelIdentity {
  /** The name in the pipeline: a Hub repository or a folder. */
  name: string;
  /** The Hub's commit, or the SHA-256 of the model file: what a verdict was made with. */
  revision: string;
  /** fp32, fp16, q8. */
  dtype: string;
}
