import { GoneError, ImageError, toError, type StorageError } from '../src/errors.js';
import type { Classifier } from '../src/classifier/index.js';
import type { Candidates, Provenance } from '../src/images/index.js';
import type { Attempt, AttemptKey, Candidate, Ledger, ShotRecord } from '../src/ledger/index.js';
import {
  advance,
  judge,
  laneOf,
  type BudgetAnswer,
  type GateRule,
  type RetryPolicy,
  type Step,
  type Verdict,
} from '../src/loop/index.js';
import { RetryLater } from '../src/queue/index.js';
import { mostLosses, readCandidate } from './read-candidate.js';

/** What it takes to advance a shot: the run's rules, its budget, its folder. */
export interface AdvanceDependencies {
  ledger: Ledger;
  candidates: Candidates;
  /** Whether a candidate lies where this process cannot look for it: another machine made it. */
  isElsewhere(candidate: Candidate): boolean;
  gate: readonly GateRule[];
  retry: RetryPolicy;
  runSeed: number;
  output: {
    /** Writes an attempt's image into the run's folder; undefined: it is not kept. The same attempt always gets the same path. */
    put(
      shot: ShotRecord,
      attempt: Attempt,
      as: 'published' | 'review' | 'reject',
      image: () => Promise<{ bytes: Buffer; provenance: Provenance }>,
    ): Promise<string | undefined>;
    /** Moves what was published in an earlier round, and is not any more, to the rejected ones. */
    supersede(path: string, number: number): Promise<void>;
  };
  /** Whether the run's budget pays for attempt `number` of a shot. */
  budget(shot: number, number: number): Promise<BudgetAnswer>;
  onEvent: {
    judged(key: AttemptKey, verdict: Verdict): void;
    /** An attempt waits for a server: the run's coordinator puts it into a queue. */
    due(key: AttemptKey, place?: { lane: string; priority: number }): void;
    ended(shot: ShotRecord, step: Extract<Step, { kind: 'end' }>, published?: string): void;
    failed(key: AttemptKey, reason: string): void;
    /** An image cannot be read now. */
    unreadable(key: AttemptKey, error: StorageError): void;
  };
}

export interface ClassifyDependencies extends AdvanceDependencies {
  classifier: Classifier;
}

/** One candidate: score it, judge it, advance its shot. Repeating it is harmless. */
export async function classify(
  dependencies: ClassifyDependencies,
  key: AttemptKey,
  signal: AbortSignal,
): Promise<void> {
  await unlessGone(dependencies, key, () => scoreAndAdvance(dependencies, key, signal));
}

/** A shot that waited for the run's budget: decide again, now that others have moved on. False where it still waits. */
export async function reconsider(dependencies: AdvanceDependencies, key: AttemptKey): Promise<boolean> {
  try {
    return (await unlessGone(dependencies, key, () => advanceWaiting(dependencies, key))) ?? true;
  } catch (error) {
    // The next look at those that wait comes soon.
    if (error instanceof RetryLater) return false;
    throw error;
  }
}

/** Fails the shot where the candidate to keep, an earlier one, is gone: nothing brings it back. */
async function unlessGone<T>(dependencies: AdvanceDependencies, key: AttemptKey, work: () => Promise<T>) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof GoneError)) throw error;
    await fail(dependencies, key, `the image to keep is lost: ${error.message}.`);
    return undefined;
  }
}

async function fail({ ledger, onEvent }: AdvanceDependencies, key: AttemptKey, reason: string) {
  if (await ledger.failShot(key.run, key.shot, reason)) onEvent.failed(key, reason);
}

async function scoreAndAdvance(
  dependencies: ClassifyDependencies,
  key: AttemptKey,
  signal: AbortSignal,
): Promise<void> {
  const shot = await dependencies.ledger.shot(key.run, key.shot);
  const attempt = shot?.attempts[key.number - 1];
  if (!shot || !attempt?.candidate || attempt.state !== 'generated') return;

  const scores = await score(dependencies, key, attempt.candidate.file, signal);
  if (scores instanceof Error) {
    const { lost = 0 } = attempt;
    if (lost >= mostLosses) {
      const reason = `its image was made ${lost + 1} times, and lost each time: ${scores.message}. Look at the disk.`;
      await fail(dependencies, key, reason);
    } else if (await dependencies.ledger.recordLostCandidate(key))
      dependencies.onEvent.due(key, placeOf(shot, attempt));
    return;
  }
  const verdict = judge(dependencies.gate, scores);
  const model = { ...dependencies.classifier.model };
  const judged: ShotRecord = {
    ...shot,
    attempts: shot.attempts.with(key.number - 1, { ...attempt, verdict, model }),
  };
  const step = await decide(dependencies, judged);
  await layAside(dependencies, judged, key.number, verdict);
  const published = await publishKept(dependencies, judged, step);
  if (typeof published === 'object') {
    if (!(await dependencies.ledger.recordAgain(key, published.number, { verdict, model }))) return;
    dependencies.onEvent.judged(key, verdict);
    dependencies.onEvent.due(published, placeOf(shot, published));
    return;
  }
  const recorded = await dependencies.ledger.recordVerdict(key, verdict, model, step, published);
  if (!recorded) return;
  dependencies.onEvent.judged(key, verdict);
  await follow(dependencies, judged, step, published);
}

const placeOf = ({ priority }: ShotRecord, { lane }: Attempt) => ({ lane, priority });

async function advanceWaiting(dependencies: AdvanceDependencies, key: AttemptKey): Promise<boolean> {
  const shot = await dependencies.ledger.shot(key.run, key.shot);
  if (!shot || shot.outcome !== undefined) return true;
  const step = await decide(dependencies, shot);
  if (step.kind === 'wait') return false;
  const published = await publishKept(dependencies, shot, step);
  if (typeof published === 'object') {
    if (await dependencies.ledger.recordAgain(key, published.number))
      dependencies.onEvent.due(published, placeOf(shot, published));
  } else if (await dependencies.ledger.recordStep(key, step, published))
    await follow(dependencies, shot, step, published);
  return true;
}

/** Or why the stored file is gone or broken. */
async function score(dependencies: ClassifyDependencies, key: AttemptKey, file: string, signal: AbortSignal) {
  try {
    return await dependencies.classifier.classify(await readCandidate(dependencies, key, file), signal);
  } catch (error) {
    if (error instanceof ImageError || error instanceof GoneError) return toError(error);
    throw error;
  }
}

async function decide(dependencies: AdvanceDependencies, shot: ShotRecord): Promise<Step> {
  const verdicts = shot.attempts.map(({ verdict }) => verdict);
  const unchanged = shot.attempts.filter(({ candidate }) => candidate?.unchanged).map(({ number }) => number);
  // What is asked for again is not the run's budget's business.
  const budget = shot.round ? 'grant' : await dependencies.budget(shot.index, verdicts.length + 1);
  return advance(dependencies.retry, { runSeed: dependencies.runSeed, shot, verdicts, unchanged, budget });
}

async function follow(
  dependencies: AdvanceDependencies,
  shot: ShotRecord,
  step: Step,
  published: string | undefined,
): Promise<void> {
  if (step.kind === 'retry') {
    const key = { run: shot.run, shot: shot.index, number: shot.attempts.length + 1 };
    const lane = laneOf(step.request, shot.tags, step.repair);
    dependencies.onEvent.due(key, { lane, priority: shot.priority });
    return;
  }
  if (step.kind === 'end') {
    for (const { candidate } of shot.attempts) {
      if (candidate) await dependencies.candidates.remove(candidate.file);
    }
    dependencies.onEvent.ended(shot, step, published);
  }
}

/** Rejected candidates are evidence: the report shows them. Those to review are for a person. */
async function layAside(
  dependencies: AdvanceDependencies,
  shot: ShotRecord,
  number: number,
  { decision }: Verdict,
): Promise<void> {
  if (decision !== 'accept') await put(dependencies, shot, number, decision);
}

/** Where the image to keep was published; the attempt whose image must be made again first, since it lies elsewhere. */
async function publishKept(
  dependencies: AdvanceDependencies,
  shot: ShotRecord,
  step: Step,
): Promise<string | Attempt | undefined> {
  if (step.kind !== 'end' || step.keep === undefined) return undefined;
  // Kept in an earlier round: its candidate is gone, the file is there.
  if (step.keep === shot.kept) return shot.published;
  let published;
  try {
    published = await put(dependencies, shot, step.keep, step.review ? 'review' : 'published');
  } catch (error) {
    const attempt = shot.attempts[step.keep - 1];
    const mayBeMade = attempt?.candidate && dependencies.isElsewhere(attempt.candidate);
    if (error instanceof GoneError && mayBeMade && (attempt.lost ?? 0) < mostLosses) return attempt;
    throw error;
  }
  const { kept, published: before } = shot;
  // Before the ledger knows the new one: who is killed between the two repeats this step, and no other.
  if (kept !== undefined && before !== undefined && published !== undefined && before !== published)
    await dependencies.output.supersede(before, kept);
  return published;
}

/** Writes the candidate of an attempt into the run's folder. */
async function put(
  dependencies: AdvanceDependencies,
  shot: ShotRecord,
  number: number,
  as: 'published' | 'review' | 'reject',
): Promise<string | undefined> {
  const attempt = shot.attempts[number - 1];
  const file = attempt?.candidate?.file;
  if (!attempt || file === undefined)
    throw new Error(`shot ${shot.index} has no candidate of attempt ${number}`);
  return dependencies.output.put(shot, attempt, as, async () => ({
    bytes: await readCandidate(dependencies, attempt, file),
    provenance: provenance(dependencies, shot, attempt),
  }));
}

/** How an image was made, and what was rejected before it. */
function provenance(dependencies: AdvanceDependencies, shot: ShotRecord, attempt: Attempt): Provenance {
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
    runSeed: dependencies.runSeed,
    shot: shot.index,
    prompt: shot.prompt,
    attempt: number,
    backend,
    server: candidate?.server,
    request,
    settings: candidate?.settings,
    sent: candidate?.sent,
    seed: candidate?.seed,
    verdict,
    model: attempt.model,
    lineage: shot.attempts.filter((other) => other.number < number).map(brief),
  };
  // Through JSON, which drops what is undefined.
  return JSON.parse(JSON.stringify(record)) as Provenance;
}
