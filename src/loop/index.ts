export type * from './types.js';
export { laneOf } from './lane.js';
