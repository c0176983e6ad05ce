import { canRepair, describeLacks, describeSent, type Lack } from '../backends/index.js';
import { LockedError, RerollError } from '../errors.js';
import { laneOf, planAttempt, repairsIn, type ImageRequest, type Rung } from '../loop/index.js';
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
    } catch (error) {
      if (!(error instanceof RerollError)) throw error;
      report({ check, ok: false, detail: error.message });
      return undefined;
    }
  };

  await attempt('node', async () => [`${process.version}, ${process.platform} ${process.arch}`, undefined]);
  const pipeline =
    file === undefined
      ? undefined
      : await attempt('pipeline', async () => {
          const loaded = await loadPipeline(file, { env: process.env });
          return [`${loaded.name}: ${loaded.backends.length} backends`, loaded];
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
  for (const config of pipeline.backends) {
    await attempt(`backend ${config.name}`, () => examineBackend(config, requests ?? [], pipeline));
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
  return [`${shots > sampled ? `more than ${sampled}` : shots} shots`, [...asked.values()]];
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

function examineBackend(
  config: Pipeline['backends'][number],
  requests: { request: ImageRequest; tags: string[] }[],
  pipeline: Pipeline,
): Promise<[string, undefined]> {
  return opening(async (releasers) => {
    const backend = await connect(config, releasers);
    const stop = new AbortController();
    const late = () => stop.abort(new RerollError(`gave no answer within ${patienceMs / 1000} s.`));
    const timer = setTimeout(late, patienceMs);
    releasers.add(() => clearTimeout(timer));
    const { signal } = stop;
    const info = await backend.probe(signal);
    const lacks: Lack[] = [];
    const repairs = repairsIn(pipeline.retry.ladder);
    const able = repairs.filter((repair) => canRepair(backend.kind, repair));
    const served = requests.filter(({ tags }) => tags.every((tag) => config.tags.includes(tag)));
    for (const { request } of served) {
      for (const repair of [undefined, ...able]) {
        lacks.push(...(await backend.missing(request, signal, repair)));
      }
    }
    await releasers.close();
    const about = [info.product, info.version, info.checkpoint && `checkpoint ${info.checkpoint}`];
    const words = about.filter(Boolean).join(', ');
    if (lacks.length > 0) throw new RerollError(`${words}; but it has ${describeLacks(lacks)}`);
    const sent = describeSent(served.map(({ request }) => backend.settings(request)));
    const vain = vainSettings(pipeline, [backend]);
    return [
      [words, ...(backend.notes ?? []), ...(sent ? [`sent: ${sent}`] : []), ...vain].join('\n'),
      undefined,
    ];
  });
}

function tell({ check, ok, detail }: Finding): void {
  const mark = ok ? styled(process.stdout, 'green', 'ok  ') : styled(process.stdout, 'red', 'FAIL');
  say(`  ${check}: ${detail.replaceAll('\n', '\n      ')}`, mark);
}
