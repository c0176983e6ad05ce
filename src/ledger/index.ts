export type * from './types.js';
export { openLedger, setAsideDamaged } from './open.js';
export type { OpenLedger } from './open.js';
export { readLock } from './lock.js';
export type { Lock, LockInfo } from './lock.js';
