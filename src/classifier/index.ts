export { combineScores, ensemble, type Combine } from './ensemble.js';
export { openClassifier, type ClassifierOptions } from './open.js';
export type * from './port.js';
export { labelScores, sigmoid, softmax } from './scores.js';
export { measureSpeed } from './speed.js';
