import type { ReportAttempt, ReportShot } from './types.js';

/** What the report counts, in one pass over the shots. Its size does not grow with the run. */
export interface Tally {
  shots: number;
  accepted: number;
  exhausted: number;
  failed: number;
  cancelled: number;
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
  /** Pictures that can be shown. */
  pictures: Record<Group, number>;
  /** Judged attempts that were not accepted and whose image is not there any more. */
  notKept: number;
  /** The first shots that failed. */
  failures: { shot: number; prompt: string; reason: string }[];
}

/** Where a picture stands in the report. `kept`: no attempt was accepted, and this one was kept or laid aside. */
export type Group = 'accepted' | 'kept' | 'rejected';

const maxFailures = 50;

export type FileOf<S extends ReportShot> = (shot: S, attempt: S['attempts'][number]) => string | undefined;

export async function tally<S extends ReportShot>(
  shots: AsyncIterable<S>,
  fileOf: FileOf<S>,
): Promise<Tally> {
  const result: Tally = {
    shots: 0,
    accepted: 0,
    exhausted: 0,
    failed: 0,
    cancelled: 0,
    judged: 0,
    rejected: 0,
    serverSeconds: 0,
    attemptsOfAccepted: new Map(),
    byNumber: new Map(),
    pictures: { accepted: 0, kept: 0, rejected: 0 },
    notKept: 0,
    failures: [],
  };
  for await (const shot of shots) {
    countShot(result, shot);
    for (const attempt of shot.attempts) {
      countAttempt(result, attempt);
      const group = groupOf(shot, attempt);
      if (group && fileOf(shot, attempt) !== undefined) result.pictures[group]++;
      else if (group === 'rejected') result.notKept++;
    }
  }
  return result;
}

function countShot(result: Tally, shot: ReportShot): void {
  result.shots++;
  if (shot.outcome) result[shot.outcome]++;
  if (shot.outcome === 'accepted') {
    const count = shot.attempts.filter(({ verdict }) => verdict).length;
    result.attemptsOfAccepted.set(count, (result.attemptsOfAccepted.get(count) ?? 0) + 1);
  }
  if (shot.outcome === 'failed' && result.failures.length < maxFailures) {
    result.failures.push({ shot: shot.index, prompt: shot.prompt, reason: shot.reason ?? 'no reason given' });
  }
}

function countAttempt(result: Tally, { number, verdict, candidate }: ReportAttempt): void {
  result.serverSeconds += candidate?.seconds ?? 0;
  if (!verdict) return;
  const isRejected = verdict.decision === 'accept' ? 0 : 1;
  const at = result.byNumber.get(number) ?? { judged: 0, rejected: 0 };
  result.byNumber.set(number, { judged: at.judged + 1, rejected: at.rejected + isRejected });
  result.judged++;
  result.rejected += isRejected;
}

export function groupOf(shot: ReportShot, attempt: ReportAttempt): Group | undefined {
  if (!attempt.verdict) return undefined;
  if (attempt.number === shot.kept) return shot.outcome === 'accepted' ? 'accepted' : 'kept';
  return attempt.verdict.decision === 'accept' ? undefined : 'rejected';
}
