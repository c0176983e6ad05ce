import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { z } from 'zod';
import { storing } from '../base/storage.js';
import { ConfigError } from '../errors.js';
import { inspectImage, readProvenance, type ImageFacts } from '../images/index.js';
import type { Candidate, Run } from '../ledger/index.js';
import { advance, type Json, type Shot, type Step, type Verdict } from '../loop/index.js';
import type { Pipeline } from '../pipeline/index.js';
import { recordRun } from './start.js';
import type { State } from './state.js';

const told = z.object({
  backend: z.string().optional(),
  seed: z.int().optional(),
  decision: z.enum(['accept', 'review', 'reject']).optional(),
  rule: z.string().optional(),
  rejected: z.number().optional(),
});
/** As much of what an image says of itself as is needed here. */
const provenance = z.object({
  run: z.string(),
  runSeed: z.int().optional(),
  shot: z.int(),
  prompt: z.string(),
  attempt: z.int().min(1).max(10_000),
  backend: z.string().optional(),
  seed: z.int(),
  verdict: z.custom<Verdict>((value) => told.required({ decision: true }).safeParse(value).success),
  model: z.custom<Json>().default(null),
  lineage: z.array(told.extend({ attempt: z.int() })),
});

/** An image that a run published or laid before a person. */
interface Found extends z.infer<typeof provenance> {
  /** Below the run's folder. */
  path: string;
  facts: ImageFacts;
}

/**
 * Records a run anew whose ledger is lost, from its pipeline and the images in its folder: their shots have ended, with
 * the attempts that each image tells of; the others are to be made. Throws ConfigError, and records nothing, where that
 * is not possible.
 */
export async function rebuildRun(
  state: State,
  pipeline: Pipeline,
  id: string,
): Promise<{ run: Run; images: number; open: number }> {
  const number = id.slice(pipeline.name.length + 1);
  if (id !== `${pipeline.name}-${number}` || !/^[1-9]\d{0,4}$/.test(number))
    throw new ConfigError(
      `${id} is no run of ${pipeline.file}: its runs are called ${pipeline.name}-1 and on.`,
    );
  if (await state.ledger.run(id))
    throw new ConfigError(
      `${id} is in the ledger: there is nothing to make anew. \`reroll status ${id}\` says how it stands.`,
    );
  const folder = join(pipeline.output.dir, id);
  const found = await imagesIn(folder, id);
  const [any] = found.values();
  if (!any)
    throw new ConfigError(
      `no image in ${folder} says that ${id} made it: nothing can be made anew from them.`,
    );
  const seed = any.runSeed ?? pipeline.seed;
  if (seed === undefined)
    throw new ConfigError(
      `the images in ${folder} do not say the run's seed, and ${pipeline.file} has none.`,
    );
  const run = await recordRun(state, pipeline, {
    again: { id, seed, check: (shots) => matching(shots, found, pipeline) },
  });
  for (const image of found.values()) await replay(state, pipeline, run, image);
  const open = await state.ledger.openShots(id);
  if (open === 0) await state.ledger.moveRun(id, 'completed');
  return { run, images: found.size, open };
}

/** By shot; of a shot the latest attempt. */
async function imagesIn(folder: string, run: string): Promise<Map<number, Found>> {
  const found = new Map<number, Found>();
  const names = await storing('read', folder, () => readdir(folder, { recursive: true }));
  for (const name of names) {
    if (name.startsWith(`rejected${sep}`) || !/\.(png|jpe?g|webp)$/i.test(name)) continue;
    const path = join(folder, name);
    const said = provenance.safeParse(await readProvenance(path));
    if (!said.success || said.data.run !== run) continue;
    const before = found.get(said.data.shot);
    if (before && before.attempt > said.data.attempt) continue;
    const bytes = await storing('read', path, () => readFile(path));
    // One that is cut off is made again.
    const facts = await inspectImage(bytes).catch(() => undefined);
    if (facts) found.set(said.data.shot, { ...said.data, path: name.replaceAll(sep, '/'), facts });
  }
  return found;
}

/** The pipeline's shots, refused where they are not those that the images show. */
async function* matching(
  shots: AsyncIterable<Shot>,
  found: ReadonlyMap<number, Found>,
  { file }: Pipeline,
): AsyncGenerator<Shot> {
  const unseen = new Set(found.keys());
  for await (const shot of shots) {
    const image = found.get(shot.index);
    const seed =
      image?.attempt === 1 ? image.seed : image?.lineage.find(({ attempt }) => attempt === 1)?.seed;
    if (!image || (image.prompt === shot.prompt && (seed ?? shot.request.seed) === shot.request.seed))
      unseen.delete(shot.index);
    yield shot;
  }
  for (const index of unseen)
    throw new ConfigError(
      `${file} does not ask for what ${found.get(index)?.path} shows: it was changed since, or its prompt files were. Put it back as it was when the run began.`,
    );
}

/** Takes a shot through the attempts that its image tells of. */
async function replay({ ledger }: State, pipeline: Pipeline, run: Run, image: Found): Promise<void> {
  const shot = await ledger.shot(run.id, image.shot);
  if (!shot) return;
  const isReview = image.path.startsWith('review/');
  const verdicts: Verdict[] = [];
  for (let number = 1; number <= image.attempt; number++) {
    const key = { run: run.id, shot: image.shot, number };
    const isLast = number === image.attempt;
    const attempt = isLast ? image : image.lineage.find((one) => one.attempt === number);
    const verdict = isLast ? image.verdict : verdictOf(attempt);
    verdicts.push(verdict);
    await ledger.recordSending(key, attempt?.backend ?? 'unknown', 'rebuilt');
    await ledger.recordCandidate(key, candidateOf(image, number, attempt?.seed ?? image.seed));
    const outcome = image.verdict.decision === 'accept' ? 'accepted' : 'exhausted';
    const end: Step = { kind: 'end', outcome, keep: number, ...(isReview && { review: true }) };
    const next = advance(pipeline.retry, {
      runSeed: run.seed,
      shot,
      verdicts,
      unchanged: [],
      budget: 'grant',
    });
    const retry: Step = next.kind === 'retry' ? next : { kind: 'retry', request: shot.request };
    await ledger.recordVerdict(
      key,
      verdict,
      image.model,
      isLast ? end : retry,
      isLast ? image.path : undefined,
    );
  }
  await ledger.claimPath(run.id, image.shot, image.path, image.path);
}

/** An image tells of those before it in brief. */
const verdictOf = ({ decision = 'reject', rejected = 1, rule }: z.infer<typeof told> = {}): Verdict => ({
  decision,
  rejected,
  ...(rule !== undefined && { rule }),
  scores: [],
});

/** The file is gone, as that of every shot that has ended. */
const candidateOf = ({ run, shot, facts }: Found, number: number, seed: number): Candidate => ({
  file: `${run}/${shot}-${number}.${facts.format}`,
  sha256: '',
  width: facts.width,
  height: facts.height,
  format: facts.format,
  seed,
  sent: null,
  server: null,
  seconds: 0,
});
