import { requireProbabilities } from '../base/scores.js';
import type { GateRule, LabelScore, Of, Scores, Verdict } from './types.js';

/**
 * What the gate decides about label scores. A rule fires when every condition it names holds: its labels'
 * summed probability reaches `threshold`, the most probable label is one of them (`when: top`).
 * Any rule that rejects beats any that asks for review, which beats acceptance. Throws ModelError for a score that
 * is no probability, should one get past the types: NaN reaches no threshold.
 */
export function judge(rules: readonly GateRule[], scores: Scores): Verdict {
  requireProbabilities(scores, 'of this gate');
  const sorted = [...scores].sort((a, b) => b.score - a.score || (a.label < b.label ? -1 : 1));
  const findings = rules.map((rule) => examine(rule, sorted));
  const finding =
    findings.find(({ decision }) => decision === 'reject') ??
    findings.find(({ decision }) => decision === 'review');
  const named = new Set(rules.flatMap((rule) => sorted.filter(({ label }) => matches(rule, label))));
  return {
    decision: finding?.decision ?? 'accept',
    ...(finding && { rule: finding.words }),
    rejected: Math.min(1, sum([...named])),
    scores: sorted,
  };
}

/** The rules that none of the model's labels can ever fire: most likely a misspelt label. */
export function idleRules(rules: readonly GateRule[], labels: readonly string[]): GateRule[] {
  return rules.filter((rule) => !labels.some((label) => matches(rule, label)));
}

/** The rules that fire on any picture: the only label of a model is always the most probable one. */
export function constantRules(rules: readonly GateRule[], labels: readonly string[]): GateRule[] {
  if (labels.length !== 1) return [];
  return rules.filter((rule) => conditionOf(rule)({ share: 0, isOnTop: true }) !== undefined);
}

/** What a rule sees of a candidate. */
interface Seen {
  /** The summed probability of the rule's labels. */
  share: number;
  /** Whether the most probable label is one of them. */
  isOnTop: boolean;
}

/** Why a rule rejects, in words that follow its labels; undefined where it does not. */
type Condition = (seen: Seen) => string | undefined;

const conditions: { [Kind in GateRule['kind']]: (rule: Of<GateRule, Kind>) => Condition } = {
  share:
    ({ threshold }) =>
    ({ share }) =>
      share >= threshold ? `${round(share)} >= ${threshold}` : undefined,
  top:
    ({ threshold }) =>
    ({ share, isOnTop }) => {
      if (!isOnTop) return undefined;
      if (threshold === undefined) return 'on top';
      return share >= threshold ? `${round(share)} >= ${threshold}` : undefined;
    },
};

const conditionOf = (rule: GateRule) => (conditions[rule.kind] as (rule: GateRule) => Condition)(rule);

function examine(
  rule: GateRule,
  sorted: readonly LabelScore[],
): Pick<Verdict, 'decision'> & { words: string } {
  const top = sorted[0];
  const seen: Seen = {
    share: sum(sorted.filter(({ label }) => matches(rule, label))),
    isOnTop: top !== undefined && matches(rule, top.label),
  };
  const name = rule.labels.join(' + ');
  const why = conditionOf(rule)(seen);
  if (why !== undefined) return { decision: 'reject', words: `${name} ${why}` };
  const { review } = rule;
  const almost = review === undefined ? undefined : conditionOf({ ...rule, threshold: review })(seen);
  return almost === undefined
    ? { decision: 'accept', words: '' }
    : { decision: 'review', words: `${name} ${almost} (review)` };
}

const matches = (rule: GateRule, label: string): boolean =>
  rule.labels.some((pattern) => matchesPattern(pattern, label));

/** `*` stands for any letters; everything else for itself, since labels hold what file names do not: `/`, `(`, `.`. */
export function matchesPattern(pattern: string, label: string): boolean {
  const [start = '', ...parts] = pattern.split('*');
  const end = parts.pop();
  if (end === undefined) return label === pattern;
  if (!label.startsWith(start)) return false;
  let at = start.length;
  // The first place of each part leaves most room for the next: nothing has to be tried twice.
  for (const part of parts) {
    const found = label.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return label.length - end.length >= at && label.endsWith(end);
}

function sum(scores: readonly LabelScore[]): number {
  return scores.reduce((total, { score }) => total + score, 0);
}

function round(share: number): number {
  return Math.round(share * 1000) / 1000;
}
