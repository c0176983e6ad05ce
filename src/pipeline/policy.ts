import type { GateRule, Of, Rung } from '../loop/index.js';
import { rungKinds, type Settled } from './schema.js';

type SettledRung = Settled['retry']['ladder'][number];
type SettledRule = Settled['gate']['reject'][number];

/** A rung as the loop knows it: `{ adjust: {...} }` of the file is of kind `adjust`. */
export function rungOf(rung: SettledRung): Rung {
  if (rung === 'new_seed') return { kind: 'new_seed' };
  // The schema lets none through without.
  const kind = rungKinds.find((key) => rung[key] !== undefined) ?? 'new_seed';
  return { kind, ...rung } as Rung;
}

const rules: { [Kind in GateRule['kind']]: (rule: SettledRule) => Of<GateRule, Kind> | undefined } = {
  top: ({ when, ...rule }) => (when === 'top' ? { kind: 'top', ...rule } : undefined),
  share: ({ threshold, ...rule }) =>
    threshold === undefined ? undefined : { kind: 'share', ...rule, threshold },
};

/** A rule as the loop knows it, of the first kind that it fits. */
export function ruleOf(rule: SettledRule): GateRule {
  for (const of of Object.values(rules)) {
    const found = of(rule);
    if (found) return found;
  }
  throw new Error('the schema lets no rule through that is of no kind');
}
