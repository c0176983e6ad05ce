import { ModelError } from '../errors.js';

/** A label of the classifier and its probability, 0 to 1. */
export interface LabelScore {
  label: string;
  score: number;
}

declare const checked: unique symbol;

/**
 * Every label of a model with its probability, most probable first. Made by `checkScores` alone: what a model gives
 * as NaN would lose every comparison with a threshold, and so be accepted.
 */
export type Scores = readonly LabelScore[] & { readonly [checked]: true };

/** What 32-bit floats leave of a sum of 1. */
const sumTolerance = 1e-3;

/**
 * The one way from numbers to scores. `exclusive`: the labels exclude each other, so that their probabilities sum
 * to 1. Throws ModelError that names `model`.
 */
export function checkScores(
  scores: readonly LabelScore[],
  { model, exclusive }: { model: string; exclusive: boolean },
): Scores {
  requireProbabilities(scores, model);
  const sum = scores.reduce((total, { score }) => total + score, 0);
  if (exclusive && Math.abs(sum - 1) > sumTolerance) {
    throw unusable(model, `its probabilities sum to ${sum}, not to 1`);
  }
  return scores.toSorted((a, b) => b.score - a.score) as unknown as Scores;
}

/** Throws ModelError unless there is a score, and each is a number from 0 to 1. */
export function requireProbabilities(scores: readonly LabelScore[], model: string): void {
  if (scores.length === 0) throw unusable(model, 'it gives no scores');
  // Not by comparison alone: null, which JSON makes of NaN, is "at least 0".
  const wrong = scores.find(({ score }) => !Number.isFinite(score) || score < 0 || score > 1);
  if (wrong)
    throw unusable(model, `it gives ${wrong.label} a score of ${wrong.score}, which is no probability`);
}

/** Throws ModelError where a model's raw outputs are not all finite: what they become may look like a probability. */
export function requireFinite(logits: readonly number[], model: string): void {
  const wrong = logits.find((logit) => !Number.isFinite(logit));
  if (wrong !== undefined) throw unusable(model, `it answers ${wrong}, which is no score`);
}

function unusable(model: string, what: string): ModelError {
  return new ModelError(
    `the model ${model} cannot judge: ${what}. Nothing is accepted on that. Its file is damaged, or its numbers ` +
      'overflow: take another `gate.dtype` (fp32) or `gate.device` (cpu), or fetch the model again.',
  );
}
