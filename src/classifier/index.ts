export type { Dtype } from './folder.js';
export { openClassifier, type ClassifierOptions } from './open.js';
export type * from './port.js';
export { labelScores, sigmoid, softmax } from './scores.js';
