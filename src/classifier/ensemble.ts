import { checkScores, type Scores } from '../base/scores.js';
import { ConfigError } from '../errors.js';
import type { Classifier } from './port.js';

/** How the probabilities that several models give to a label become one. */
export type Combine = 'mean' | 'max';

/**
 * Several models' scores of one image as one, label by label, most probable first. Of `max` the sum may
 * exceed 1: each label is as probable as the model says that is surest of it.
 */
export function combineScores(scores: readonly Scores[], combine: Combine, model: string): Scores {
  const labels = (scores[0] ?? []).map(({ label }) => label);
  const byModel = scores.map((own) => new Map(own.map(({ label, score }) => [label, score])));
  const combined = labels.map((label) => {
    const found = byModel.map((own) => own.get(label) ?? NaN);
    const sum = found.reduce((total, score) => total + score, 0);
    return { label, score: combine === 'max' ? Math.max(...found) : sum / found.length };
  });
  return checkScores(combined, { model, exclusive: false });
}

/** Several classifiers as one, which closes them all. Throws ConfigError where they do not know the same labels. */
export function ensemble(members: readonly [Classifier, ...Classifier[]], combine: Combine): Classifier {
  const [first, ...others] = members;
  if (others.length === 0) return first;
  for (const other of others) requireSameLabels(first, other);
  const name = `${combine} of ${members.map(({ model }) => model.name).join(', ')}`;
  const joined = (key: 'revision' | 'dtype') => members.map(({ model }) => model[key]).join('+');
  return {
    model: {
      name,
      revision: joined('revision'),
      dtype: joined('dtype'),
    },
    notes: members.flatMap(({ notes = [] }) => notes),
    labels: first.labels,
    classify: async (image, signal) =>
      combineScores(
        await Promise.all(members.map((member) => member.classify(image, signal))),
        combine,
        name,
      ),
    close: async () => {
      await Promise.all(members.map((member) => member.close()));
    },
  };
}

function requireSameLabels(first: Classifier, other: Classifier): void {
  const words = ({ labels }: Classifier) => [...labels].sort().join(', ');
  if (words(first) === words(other)) return;
  throw new ConfigError(
    `gate.model: models that judge together must know the same labels. ${first.model.name} knows ` +
      `${words(first)}; ${other.model.name} knows ${words(other)}. Take one of them out.`,
  );
}
