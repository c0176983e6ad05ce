import { writeAtomically } from '../base/atomic.js';
import type { ReportAttempt, ReportShot } from './types.js';

/**
 * Writes manifest.jsonl: a line of JSON per shot, in the order of the run. Keys stand in a fixed order, so
 * that two manifests can be compared as text once the keys `timing` and `backend` are dropped: they hold
 * all that may differ between two runs of the same pipeline and seed. Streams; throws StorageError.
 */
export async function writeManifest(file: string, shots: AsyncIterable<ReportShot>): Promise<void> {
  await writeAtomically(file, inParts(lines(shots)));
}

async function* lines(shots: AsyncIterable<ReportShot>): AsyncGenerator<string> {
  for await (const shot of shots) yield `${JSON.stringify(shotLine(shot))}\n`;
}

/** Joins small texts to parts of 64 kB, so that a line is not a system call. */
export async function* inParts(texts: AsyncIterable<string>): AsyncGenerator<string> {
  let part = '';
  for await (const text of texts) {
    part += text;
    if (part.length < 65_536) continue;
    yield part;
    part = '';
  }
  yield part;
}

const shotLine = (shot: ReportShot): object => ({
  shot: shot.index,
  prompt: shot.prompt,
  outcome: shot.outcome,
  reason: shot.reason,
  kept: shot.kept,
  published: shot.published,
  // What it leaves out is the server's: see each attempt's backend.
  request: sorted(shot.request),
  attempts: shot.attempts.map((attempt) => attemptEntry(shot, attempt)),
});

const attemptEntry = (shot: ReportShot, { candidate, verdict, ...attempt }: ReportAttempt): object => ({
  number: attempt.number,
  seed: candidate?.seed ?? attempt.request.seed,
  changes: sorted(changesOf(shot, attempt)),
  repair: sorted(attempt.repair),
  unchanged: candidate?.unchanged,
  image: candidate && { width: candidate.width, height: candidate.height, format: candidate.format },
  decision: verdict?.decision,
  rule: verdict?.rule,
  rejected: verdict && round(verdict.rejected),
  scores: verdict && Object.fromEntries(verdict.scores.map(({ label, score }) => [label, round(score)])),
  model: sorted(attempt.model),
  backend: {
    name: attempt.backend,
    server: sorted(candidate?.server),
    settings: sorted(candidate?.settings),
    // Servers write their own version into the file.
    sha256: candidate?.sha256,
    errors: attempt.serverErrors === 0 ? undefined : attempt.serverErrors,
    lastError: attempt.lastError,
  },
  timing: {
    seconds: candidate?.seconds,
    created: attempt.createdAt,
    generated: attempt.generatedAt,
    judged: attempt.judgedAt,
  },
});

/**
 * What the ladder has changed of the shot's request, the seed aside; of settings that were left out how it changed
 * them, such as `cfg_scale: ['+1', '+1']`.
 */
export function changesOf(
  shot: Pick<ReportShot, 'request'>,
  attempt: Pick<ReportAttempt, 'request'>,
): { [setting: string]: unknown } | undefined {
  const before: { [setting: string]: unknown } = { ...shot.request };
  const { adjust = [], ...request } = attempt.request;
  const changes: { [setting: string]: unknown } = Object.fromEntries(
    Object.entries(request).filter(
      ([setting, value]) =>
        setting !== 'seed' && JSON.stringify(sorted(value)) !== JSON.stringify(sorted(before[setting])),
    ),
  );
  for (const key of new Set(adjust.flatMap((one) => Object.keys(one)))) {
    changes[key] = adjust.flatMap((one) => one[key] ?? []);
  }
  return Object.keys(changes).length === 0 ? undefined : changes;
}

/** Null for what is no number: verdicts of versions that did not yet refuse a model that answers NaN. */
const round = (probability: number | null): number | null =>
  Number.isFinite(probability) ? Math.round(Number(probability) * 10_000) / 10_000 : null;

/** The same value with the keys of every object in order: a database may have shuffled them. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
