export type * from './types.js';
export { adjustedBy, settle, settingOf } from './adjust.js';
export { advance, bestAttempt, type Standpoint } from './advance.js';
export { reachesAll, shareBudget, type BudgetAnswer, type Standing } from './budget.js';
export { expect, type Expectation, type GateQuality } from './expectation.js';
export { constantRules, idleRules, judge } from './gate.js';
export { planAttempt, rungOf, type Plan } from './ladder.js';
export { laneOf } from './lane.js';
export { seedFor } from './seeds.js';
