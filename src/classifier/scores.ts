import { plural } from '../base/plural.js';
import { checkScores, requireFinite, type Scores } from '../base/scores.js';
import { ModelError } from '../errors.js';

/** Probabilities of labels that exclude each other: they sum to 1. */
export function softmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const largest = Math.max(...values);
  // The largest becomes exp(0): no logit, however large, overflows.
  const exponentials = values.map((value) => Math.exp(value - largest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}

/** Probabilities of labels that are independent of each other. */
export const sigmoid = (logits: ArrayLike<number>): number[] =>
  Array.from(logits, (value) => 1 / (1 + Math.exp(-value)));

/** What is known of a model whose answers become scores. */
export interface Scored {
  /** Its name, for errors. */
  model: string;
  labels: readonly string[];
  /** Labels that are independent of each other: sigmoid instead of softmax. */
  independent: boolean;
}

/**
 * Every label with its probability, most probable first; equals keep the model's order. Throws ModelError where the
 * model's answer is no finite number for each label.
 */
export function labelScores({ model, labels, independent }: Scored, logits: ArrayLike<number>): Scores {
  const answer = Array.from(logits);
  if (answer.length !== labels.length) {
    throw new ModelError(
      `the model ${model} gives ${plural(answer.length, 'score')}, but id2label in its config.json names ${plural(labels.length, 'label')}.`,
    );
  }
  requireFinite(answer, model);
  const probabilities = independent ? sigmoid(answer) : softmax(answer);
  return checkScores(
    labels.map((label, index) => ({ label, score: probabilities[index] ?? NaN })),
    { model, exclusive: !independent },
  );
}
