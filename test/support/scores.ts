import { checkScores, type Scores } from '../../src/base/scores.js';

/** Scores of a model that a test stands in for. They need not sum to 1. */
export const scoresOf = (scores: Record<string, number>): Scores =>
  checkScores(
    Object.entries(scores).map(([label, score]) => ({ label, score })),
    { model: 'of a test', exclusive: false },
  );
