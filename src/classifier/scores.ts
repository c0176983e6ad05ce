import type { Classifier } from './port.js';

type Scores = Awaited<ReturnType<Classifier['classify']>>;

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

/** Every label with its probability, most probable first; equals keep the model's order. */
export function labelScores(labels: string[], logits: ArrayLike<number>, independent: boolean): Scores {
  const probabilities = independent ? sigmoid(logits) : softmax(logits);
  return labels
    .map((label, index) => ({ label, score: probabilities[index] ?? 0 }))
    .sort((a, b) => b.score - a.score);
}
