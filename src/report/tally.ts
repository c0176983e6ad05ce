import type { Outcome } from '../loop/index.js';
import { groupOf, markOf, type Group } from './groups.js';
import type { ReportAttempt, ReportShot } from './types.js';
import { cut } from './words.js';

/** What the report counts while it goes over the shots. Its size does not grow with the run. */
export interface Tally {
  shots: number;
  outcomes: Record<Outcome, number>;
  /** Shots that have a picture, by section, and their pictures. */
  sections: Map<Group, { shots: number; pictures: number }>;
  /** Attempts that have a verdict. */
  judged: number;
  /** Judged, but not accepted. */
  rejected: number;
  /** Seconds that servers spent on images. */
  serverSeconds: number;
  /** For each number of attempts, how many shots were accepted with it. */
  attemptsOfAccepted: Map<number, number>;
  /** For each attempt number, how many attempts were judged and how many of them not accepted. */
  byNumber: Map<number, { judged: number; rejected: number }>;
  /** Judged attempts of which no picture is left. */
  notKept: number;
  /** Images in review/ whose shots stand in another section, and the first of these shots. */
  elsewhere: { images: number; shots: Map<number, Group> };
  /** Why shots failed: of the first different reasons, how many, and the first of them. */
  failures: Map<string, { count: number; shots: Map<number, string> }>;
  /** Failed for other reasons. */
  otherFailures: number;
}

const maxReasons = 50;
const maxNamed = 20;
const maxReason = 500;

export const emptyTally = (): Tally => ({
  shots: 0,
  outcomes: { accepted: 0, exhausted: 0, failed: 0, cancelled: 0 },
  sections: new Map(),
  judged: 0,
  rejected: 0,
  serverSeconds: 0,
  attemptsOfAccepted: new Map(),
  byNumber: new Map(),
  notKept: 0,
  elsewhere: { images: 0, shots: new Map() },
  failures: new Map(),
  otherFailures: 0,
});

/** `pictures`: of so many of its judged attempts there is one. */
export function countShot(tally: Tally, shot: ReportShot, pictures: number): void {
  tally.shots++;
  const group = groupOf(shot);
  const section = tally.sections.get(group) ?? { shots: 0, pictures: 0 };
  const more = { shots: section.shots + 1, pictures: section.pictures + pictures };
  if (pictures > 0) tally.sections.set(group, more);
  tally.notKept += shot.attempts.filter(({ verdict }) => verdict).length - pictures;
  if (shot.outcome) tally.outcomes[shot.outcome]++;
  if (shot.outcome === 'accepted') {
    const judged = shot.attempts.filter(({ verdict }) => verdict).length;
    tally.attemptsOfAccepted.set(judged, (tally.attemptsOfAccepted.get(judged) ?? 0) + 1);
  }
  if (shot.outcome === 'failed') countFailure(tally, shot);
  for (const attempt of shot.attempts) countAttempt(tally, attempt);
  countElsewhere(tally, shot);
}

function countFailure(tally: Tally, { index, prompt, reason = 'no reason given' }: ReportShot): void {
  const { failures } = tally;
  const words = cut(reason, maxReason);
  const failure = failures.get(words) ?? { count: 0, shots: new Map<number, string>() };
  if (failure.count === 0 && failures.size === maxReasons) {
    tally.otherFailures++;
    return;
  }
  failure.count++;
  if (failure.shots.size < maxNamed) failure.shots.set(index, prompt);
  failures.set(words, failure);
}

function countAttempt(tally: Tally, { number, verdict, candidate }: ReportAttempt): void {
  tally.serverSeconds += candidate?.seconds ?? 0;
  if (!verdict) return;
  const isRejected = verdict.decision === 'accept' ? 0 : 1;
  const at = tally.byNumber.get(number) ?? { judged: 0, rejected: 0 };
  tally.byNumber.set(number, { judged: at.judged + 1, rejected: at.rejected + isRejected });
  tally.judged++;
  tally.rejected += isRejected;
}

function countElsewhere({ elsewhere }: Tally, shot: ReportShot): void {
  const group = groupOf(shot);
  if (group === 'review') return;
  const images = shot.attempts.filter((attempt) => markOf(shot, attempt) === 'review').length;
  elsewhere.images += images;
  if (images > 0 && elsewhere.shots.size < maxNamed) elsewhere.shots.set(shot.index, group);
}
