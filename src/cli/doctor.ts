import { plural } from '../base/plural.js';
import { canRepair, describeLacks, describeSent, type Lack } from '../backends/index.js';
import { inWords } from '../base/storage.js';
import { BackendError, LockedError, RerollError, toError } from '../errors.js';
import { laneOf, planAttempt, repairsIn, type ImageRequest, type Repair, type Rung } from '../loop/index.js';
import { expandShots, loadPipeline, type Pipeline } from '../pipeline/index.js';
import { connect, homeOf, withState, openGate, opening, vainSettings } from '../runtime/index.js';
import { exitCodes } from './exit.js';
import { printJson, say, styled } from './print.js';

interface Finding {
  check: string;
  ok: boolean;
  detail: string;
}

/** How many shots are looked at for what they ask of the servers. */
const sampled = 10_000;
/** For all that a server is asked. */
const patienceMs = 20_000;

/** Tells what works and what does not. Returns the exit code. */
export async function doctor(file: string | undefined, { json }: { json: boolean }): Promise<number> {
  const findings: Finding[] = [];
  await examine(file, (finding) => {
    findings.push(finding);
    if (!json) tell(finding);
  });
  if (json) printJson(findings);
  return findings.every(({ ok }) => ok) ? exitCodes.done : exitCodes.found;
}

async function examine(file: string | undefined, report: (finding: Finding) => void): Promise<void> {
  const attempt = async <T>(check: string, work: () => Promise<[string, T]>): Promise<T | undefined> => {
    try {
      const [detail, value] = await work();
      report({ check, ok: true, detail });
      return value;
    } catch (thrown) {
      const error = inWords(thrown);
      if (!(error instanceof RerollError)) throw error;
      // The check has the backend's name already.
      report({ check, ok: false, detail: error instanceof BackendError ? error.words : error.message });
      return undefined;
    }
  };

  await attempt('node', async () => [`${process.version}, ${process.platform} ${process.arch}`, undefined]);
  const pipeline =
    file === undefined
      ? undefined
      : await attempt('pipeline', async () => {
          const loaded = await loadPipeline(file, { env: process.env });
          return [`${loaded.name}: ${plural(loaded.backends.length, 'backend')}`, loaded];
        });
  await attempt('state', () => examineState(pipeline?.file));
  if (!pipeline) return;
  await attempt('model', async () => {
    const classifier = await openGate(pipeline, process.env);
    const { model, labels, notes = [] } = classifier;
    await classifier.close();
    const words = `${model.name} (${model.dtype}, revision ${model.revision}): ${labels.join(', ')}`;
    return [[words, ...notes].join('\n'), undefined];
  });
  const requests = await attempt('prompts', () => sampleRequests(pipeline));
  const asked = askedOf(requests ?? [], pipeline.retry.ladder);
  const looks = await Promise.all(pipeline.backends.map((one) => look(one, asked, pipeline).catch(toError)));
  const served = new Set(looks.flatMap((seen) => (seen instanceof Error ? [] : makes(seen))));
  for (const [place, seen] of looks.entries()) {
    await attempt(`backend ${pipeline.backends[place]?.name ?? ''}`, async () => {
      if (seen instanceof Error) throw seen;
      return [judge(seen, served), undefined];
    });
  }
}

/** The state folder opens, and the queue behind it answers. */
async function examineState(pipelineFile: string | undefined): Promise<[string, undefined]> {
  const home = homeOf(process.env, pipelineFile);
  const ledger = process.env.REROLL_DATABASE_URL ? 'PostgreSQL' : `embedded, in ${home}`;
  const queue = process.env.REROLL_REDIS_URL ? 'Redis' : 'beside the ledger';
  try {
    await withState(home, () => Promise.resolve());
  } catch (error) {
    // A run is going on there: it works, then.
    if (!(error instanceof LockedError)) throw error;
    return [`in use by process ${error.owner ?? 'unknown'}: ${home}`, undefined];
  }
  return [`ledger ${ledger}; queue ${queue}`, undefined];
}

/**
 * What the servers will be asked for: one request for each lane and combination of settings, and each LoRA in a
 * prompt; and what the ladder makes of each.
 */
async function sampleRequests(
  pipeline: Pipeline,
): Promise<[string, { request: ImageRequest; tags: string[] }[]]> {
  const asked = new Map<string, { request: ImageRequest; tags: string[] }>();
  let shots = 0;
  for await (const { request, tags } of expandShots(pipeline, pipeline.seed ?? 0)) {
    if (++shots > sampled) break;
    for (const plan of plansOf(request, pipeline.retry.ladder)) {
      const key = namesIn(plan, tags);
      if (!asked.has(key)) asked.set(key, { request: plan, tags });
    }
  }
  const count = shots > sampled ? `more than ${sampled} shots` : plural(shots, 'shot');
  return [count, [...asked.values()]];
}

/** The requests of a shot's attempts, as far up the ladder as it goes. */
function plansOf(request: ImageRequest, ladder: readonly Rung[]): ImageRequest[] {
  const rungs = ladder.map((rung) => ({ ...rung, times: 1 }));
  const seedOf = () => request.seed;
  return [1, ...rungs.map((_, place) => place + 2)].map(
    (number) => planAttempt(request, rungs, number, seedOf, []).request,
  );
}

/** All that a server may lack for a request, and all that is shown of it. */
function namesIn(request: ImageRequest, tags: readonly string[]): string {
  const { prompt, negative_prompt: negative } = request;
  // Seeds and words are different in each: no server lacks one.
  const settings = { ...request, seed: 0, prompt: '', negative_prompt: '' };
  const loras = `${prompt} ${negative ?? ''}`.match(/<lora:[^>]*>/gi);
  return JSON.stringify([laneOf(request, tags), settings, loras]);
}

/** A request that servers may get, new or as a repair. */
interface Asked {
  request: ImageRequest;
  tags: readonly string[];
  repair?: Repair;
}

function askedOf(requests: { request: ImageRequest; tags: string[] }[], ladder: readonly Rung[]): Asked[] {
  const repairs = repairsIn(ladder);
  return requests.flatMap((one) => [one, ...repairs.map((repair) => ({ ...one, repair }))]);
}

/** What a server says of itself, and what it lacks for each request that may come to it. */
interface Look {
  about: string;
  notes: readonly string[];
  lacks: Map<Asked, Lack[]>;
}

function look(
  config: Pipeline['backends'][number],
  asked: readonly Asked[],
  pipeline: Pipeline,
): Promise<Look> {
  return opening(async (releasers) => {
    const backend = await connect(config, releasers);
    const stop = new AbortController();
    const late = () => stop.abort(new RerollError(`gave no answer within ${patienceMs / 1000} s.`));
    const timer = setTimeout(late, patienceMs);
    releasers.add(() => clearTimeout(timer));
    const { signal } = stop;
    const info = await backend.probe(signal);
    const lacks = new Map<Asked, Lack[]>();
    for (const one of asked) {
      if (!one.tags.every((tag) => config.tags.includes(tag))) continue;
      if (one.repair && !canRepair(backend.kind, one.repair)) continue;
      lacks.set(one, await backend.missing(one.request, signal, one.repair));
    }
    await releasers.close();
    const about = [info.product, info.version, info.checkpoint && `checkpoint ${info.checkpoint}`];
    const made = makes({ lacks }).filter(({ repair }) => repair === undefined);
    const sent = describeSent(made.map(({ request }) => backend.settings(request)));
    const vain = vainSettings(pipeline, [backend]);
    const notes = [...(backend.notes ?? []), ...(sent ? [`sent: ${sent}`] : []), ...vain];
    return { about: about.filter(Boolean).join(', '), notes, lacks };
  });
}

/** The requests that a server can make. */
const makes = ({ lacks }: Pick<Look, 'lacks'>): Asked[] =>
  [...lacks].filter(([, list]) => list.length === 0).map(([one]) => one);

/** What to say of a server. Throws where it lacks something that none has; what another makes is no fault of it. */
function judge({ about, notes, lacks }: Look, served: ReadonlySet<Asked>): string {
  const wanting = [...lacks].filter(([, list]) => list.length > 0);
  const lost = wanting.filter(([one]) => !served.has(one)).flatMap(([, list]) => list);
  if (lost.length > 0) throw new RerollError(`${about}; but it has ${describeLacks(lost)}`);
  const left = wanting.flatMap(([, list]) => list);
  const words =
    left.length > 0 ? [`leaves to others what it cannot make: it has ${describeLacks(left)}`] : [];
  return [about, ...words, ...notes].join('\n');
}

function tell({ check, ok, detail }: Finding): void {
  const mark = ok ? styled(process.stdout, 'green', 'ok  ') : styled(process.stdout, 'red', 'FAIL');
  say(`  ${check}: ${detail.replaceAll('\n', '\n      ')}`, mark);
}
