import { GoneError, ImageError, StorageError } from '../src/errors.js';
import type { Classifier } from '../src/classifier/index.js';
import { publish, type Candidates, type Provenance } from '../src/images/index.js';
import type { Attempt, AttemptKey, Ledger, ShotRecord } from '../src/ledger/index.js';
import {
  advance,
  judge,
  type BudgetAnswer,
  type GateRule,
  type Repair,
  type RetryPolicy,
  type Step,
  type Verdict,
} from '../src/loop/index.js';

/** What an attempt needs of the queue and of its server. */
type Wanted = Pick<ShotRecord, 'request' | 'tags' | 'priority'> & { repair?: Repair };

export interface ClassifyDesk {
  ledger: Ledger;
  candidates: Candidates;
  classifier: Classifier;
  gate: readonly GateRule[];
  retry: RetryPolicy;
  runSeed: number;
  output: {
    /** The run's folder. */
    folder: string;
    /** Where an attempt's image goes below it; undefined: nowhere. The same attempt always gets the same path. */
    pathOf(shot: ShotRecord, attempt: Attempt, as: 'published' | 'review' | 'reject'): string | undefined;
  };
  /** Whether the run's budget pays for attempt `number` of a shot. */
  budget(shot: number, number: number): Promise<BudgetAnswer>;
  addGenerate(key: AttemptKey, wanted: Wanted): Promise<void>;
  onEvent: {
    judged(key: AttemptKey, verdict: Verdict): void;
    ended(shot: ShotRecord, step: Extract<Step, { kind: 'end' }>, published?: string): void;
    failed(key: AttemptKey, reason: string): void;
  };
}

/** One candidate: score it, judge it, advance its shot. Repeating it is harmless. */
export async function classify(desk: ClassifyDesk, key: AttemptKey, signal: AbortSignal): Promise<void> {
  await unlessGone(desk, key, () => scoreAndAdvance(desk, key, signal));
}

/** A shot that waited for the run's budget: decide again, now that others have moved on. False where it still waits. */
export async function reconsider(desk: ClassifyDesk, key: AttemptKey): Promise<boolean> {
  return (await unlessGone(desk, key, () => advanceWaiting(desk, key))) ?? true;
}

/** Fails the shot where the candidate to keep, an earlier one, is gone: nothing brings it back. */
async function unlessGone<T>(desk: ClassifyDesk, key: AttemptKey, work: () => Promise<T>) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof GoneError)) throw error;
    const reason = `the image to keep is lost: ${error.message}.`;
    if (await desk.ledger.failShot(key.run, key.shot, reason)) desk.onEvent.failed(key, reason);
    return undefined;
  }
}

async function scoreAndAdvance(desk: ClassifyDesk, key: AttemptKey, signal: AbortSignal): Promise<void> {
  const shot = await desk.ledger.shot(key.run, key.shot);
  const attempt = shot?.attempts[key.number - 1];
  if (!shot || !attempt?.candidate || attempt.state !== 'generated') return;

  const scores = await score(desk, attempt.candidate.file, signal);
  if (!scores) {
    // The stored file is gone or broken: the attempt is due again.
    if (await desk.ledger.recordLostCandidate(key))
      await desk.addGenerate(key, { ...attempt, priority: shot.priority });
    return;
  }
  const verdict = judge(desk.gate, scores);
  const judged: ShotRecord = {
    ...shot,
    attempts: shot.attempts.with(key.number - 1, { ...attempt, verdict }),
  };
  const step = await decide(desk, judged);
  await layAside(desk, judged, verdict);
  const published = await publishKept(desk, judged, step);
  const recorded = await desk.ledger.recordVerdict(
    key,
    verdict,
    { ...desk.classifier.model },
    step,
    published,
  );
  if (!recorded) return;
  desk.onEvent.judged(key, verdict);
  await follow(desk, judged, step, published);
}

async function advanceWaiting(desk: ClassifyDesk, key: AttemptKey): Promise<boolean> {
  const shot = await desk.ledger.shot(key.run, key.shot);
  if (!shot || shot.outcome !== undefined) return true;
  const step = await decide(desk, shot);
  if (step.kind === 'wait') return false;
  const published = await publishKept(desk, shot, step);
  if (await desk.ledger.recordStep(key, step, published)) await follow(desk, shot, step, published);
  return true;
}

async function score(desk: ClassifyDesk, file: string, signal: AbortSignal) {
  try {
    return await desk.classifier.classify(await desk.candidates.read(file), signal);
  } catch (error) {
    if ([ImageError, StorageError, GoneError].some((kind) => error instanceof kind)) return undefined;
    throw error;
  }
}

async function decide(desk: ClassifyDesk, shot: ShotRecord): Promise<Step> {
  const verdicts = shot.attempts.flatMap(({ verdict }) => verdict ?? []);
  const unchanged = shot.attempts.filter(({ candidate }) => candidate?.unchanged).map(({ number }) => number);
  const budget = await desk.budget(shot.index, verdicts.length + 1);
  return advance(desk.retry, { runSeed: desk.runSeed, shot, verdicts, unchanged, budget });
}

async function follow(
  desk: ClassifyDesk,
  shot: ShotRecord,
  step: Step,
  published: string | undefined,
): Promise<void> {
  if (step.kind === 'retry') {
    const key = { run: shot.run, shot: shot.index, number: shot.attempts.length + 1 };
    const { tags, priority } = shot;
    return desk.addGenerate(key, { ...step, tags, priority });
  }
  if (step.kind === 'end') {
    for (const { candidate } of shot.attempts) {
      if (candidate) await desk.candidates.remove(candidate.file);
    }
    desk.onEvent.ended(shot, step, published);
  }
}

/** Rejected candidates are evidence: the report shows them. Those to review are for a person. */
async function layAside(desk: ClassifyDesk, shot: ShotRecord, { decision }: Verdict): Promise<void> {
  if (decision !== 'accept') await put(desk, shot, shot.attempts.length, decision);
}

async function publishKept(desk: ClassifyDesk, shot: ShotRecord, step: Step): Promise<string | undefined> {
  if (step.kind !== 'end' || step.keep === undefined) return undefined;
  return put(desk, shot, step.keep, step.review ? 'review' : 'published');
}

/** Writes the candidate of an attempt into the run's folder. */
async function put(
  desk: ClassifyDesk,
  shot: ShotRecord,
  number: number,
  as: 'published' | 'review' | 'reject',
): Promise<string | undefined> {
  const attempt = shot.attempts[number - 1];
  if (!attempt?.candidate) throw new Error(`shot ${shot.index} has no candidate of attempt ${number}`);
  const relativePath = desk.output.pathOf(shot, attempt, as);
  if (relativePath === undefined) return undefined;
  await publish({
    folder: desk.output.folder,
    relativePath,
    bytes: await desk.candidates.read(attempt.candidate.file),
    provenance: provenance(desk, shot, attempt),
  });
  return relativePath;
}

/** How an image was made, and what was rejected before it. */
function provenance(desk: ClassifyDesk, shot: ShotRecord, attempt: Attempt): Provenance {
  const { request, backend, candidate, verdict, number } = attempt;
  const brief = ({ number, backend, candidate, verdict }: Attempt) => ({
    attempt: number,
    seed: candidate?.seed,
    backend,
    decision: verdict?.decision,
    rule: verdict?.rule,
    rejected: verdict?.rejected,
  });
  const record = {
    run: shot.run,
    shot: shot.index,
    prompt: shot.prompt,
    attempt: number,
    backend,
    server: candidate?.server,
    request,
    sent: candidate?.sent,
    seed: candidate?.seed,
    verdict,
    model: desk.classifier.model,
    lineage: shot.attempts.filter((other) => other.number < number).map(brief),
  };
  // Through JSON, which drops what is undefined.
  return JSON.parse(JSON.stringify(record)) as Provenance;
}
