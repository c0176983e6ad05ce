import type { ReportAttempt, ReportShot } from './types.js';

/** The section in which a shot stands, with all its attempts. */
export type Group = 'review' | 'exhausted' | 'failed' | 'accepted' | 'open' | 'cancelled';

/** What became of an attempt's image. `kept`: the best of a shot whose budget is spent. `earlier`: accepted, and lost since. */
export type Mark = 'accepted' | 'review' | 'kept' | 'rejected' | 'earlier';

/** In the order of the report: what asks for a look comes first. */
export const groups: readonly [Group, string, string][] = [
  [
    'failed',
    'Failed',
    'No server could make them, or the image to keep was lost. Ask for them again with: reroll retry.',
  ],
  [
    'review',
    'For review',
    'None was accepted, and one or more lie in review/ for you to look at: the gate was not sure of them, or the pipeline asks you.',
  ],
  ['exhausted', 'Exhausted', 'The budget was spent, and the gate rejected every attempt.'],
  [
    'accepted',
    'Accepted',
    'Published, each behind the attempts that were rejected before it. The number is how probable what the gate rejects is.',
  ],
  ['open', 'Not over yet', 'The attempts so far.'],
  ['cancelled', 'Cancelled', 'What was judged before the run was cancelled.'],
];

/** In review/ an image is for a person, unless another attempt of its shot was accepted, or may still be. */
export function groupOf(shot: ReportShot): Group {
  const { outcome, attempts } = shot;
  if (outcome === undefined) return 'open';
  const isForReview =
    outcome !== 'accepted' && attempts.some((attempt) => markOf(shot, attempt) === 'review');
  return isForReview ? 'review' : outcome;
}

/** undefined: it has no verdict. */
export function markOf(
  { outcome, kept, published }: Pick<ReportShot, 'outcome' | 'kept' | 'published'>,
  { number, verdict }: Pick<ReportAttempt, 'number' | 'verdict'>,
): Mark | undefined {
  if (!verdict) return undefined;
  const isKept = number === kept;
  if (verdict.decision === 'accept') return isKept && outcome !== undefined ? 'accepted' : 'earlier';
  if (verdict.decision === 'review' || (isKept && published?.startsWith('review/'))) return 'review';
  return isKept ? 'kept' : 'rejected';
}
