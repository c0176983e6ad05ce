import { resolve } from 'node:path';
import { plural } from '../base/plural.js';
import type { Dtype, Variant } from '../base/dtypes.js';
import type { Classifier } from '../classifier/index.js';
import {
  convertModel,
  modelInfo,
  pullModel,
  verifyModel,
  type ModelEvent,
  type ModelInfo,
} from '../models/index.js';
import { exitCodes } from './exit.js';
import { imageFiles } from './image-files.js';
import { printJson, say } from './print.js';
import { progressLine } from './progress-line.js';
import { listenForInterrupts } from './signals.js';

export interface PullFlags {
  revision: string;
  offline?: boolean;
  json?: boolean;
}

export interface ConvertFlags {
  variants: Variant[];
  json?: boolean;
}

export interface VerifyFlags {
  dtype: Dtype;
  reference: Dtype;
  json?: boolean;
}

export async function pull(name: string, { revision, offline = false, json }: PullFlags): Promise<number> {
  const folder = await whileShown((onEvent, signal) =>
    pullModel(name, { revision, offline, env: process.env, onEvent, signal }),
  );
  // A model that does not load is no model: find out now, not in the night.
  const { openClassifier } = await import('../classifier/index.js');
  const classifier = await openClassifier({ model: folder.path });
  await classifier.close();
  tellInfo(await modelInfo(folder.path), { json });
  return exitCodes.done;
}

export async function convert(
  folder: string,
  out: string,
  { variants, json }: ConvertFlags,
): Promise<number> {
  const made = await whileShown((onEvent, signal) =>
    convertModel(folder, resolve(out), { variants, onEvent, signal }),
  );
  tellInfo(await modelInfo(made.path), { json });
  return exitCodes.done;
}

export async function info(name: string, { json }: { json?: boolean }): Promise<number> {
  const { modelFolder } = await import('../runtime/index.js');
  const known = await modelInfo(await modelFolder(name, process.cwd(), process.env));
  tellInfo({ ...known, variants: await withSpeeds(known) }, { json });
  return exitCodes.done;
}

export async function verify(
  name: string,
  images: string[],
  { dtype, reference, json }: VerifyFlags,
): Promise<number> {
  const { modelFolder, opening } = await import('../runtime/index.js');
  const { openClassifier } = await import('../classifier/index.js');
  return opening(async (releasers) => {
    const model = await modelFolder(name, process.cwd(), process.env);
    const open = new Map<string, Classifier>();
    for (const variant of [dtype, reference]) {
      const classifier = await openClassifier({ model, dtype: variant });
      releasers.add(() => classifier.close());
      open.set(variant, classifier);
    }
    const line = progressLine();
    const verified = await verifyModel(model, imageFiles(images, process.stdin), {
      dtype,
      reference,
      classify: async (variant, image) => (await open.get(variant)?.classify(image)) ?? [],
      onProgress: (count) => line.show(plural(count, 'image')),
    });
    line.clear();
    await releasers.close();
    if (json) printJson(verified);
    else {
      say(
        `${dtype} against ${reference} on ${plural(verified.images, 'image')}: the same label on ` +
          `${(verified.agreement * 100).toFixed(1)} %, probabilities at most ${verified.largestDifference.toFixed(4)} apart. ` +
          (verified.passed ? 'They agree.' : `They disagree: ${dtype} is refused from now on.`),
      );
    }
    return verified.passed ? exitCodes.done : exitCodes.found;
  });
}

/** Runs work that tells of its progress, on a line of its own; Ctrl-C aborts it. */
async function whileShown<T>(
  work: (onEvent: (event: ModelEvent) => void, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const line = progressLine();
  const { signals, release } = listenForInterrupts();
  try {
    return await work((event) => line.show(describe(event)), signals.drain);
  } finally {
    line.clear();
    release();
  }
}

function describe(event: ModelEvent): string {
  switch (event.kind) {
    case 'resolved':
      return `revision ${event.revision.slice(0, 12)}, ${megabytes(event.bytes)} to fetch`;
    case 'downloading':
      return `${event.file}  ${Math.floor((event.received / Math.max(1, event.bytes)) * 100)} % of ${megabytes(event.bytes)}`;
    case 'downloaded':
      return `${event.file}  fetched`;
    case 'retrying':
      return `${event.what}: ${event.reason}; again in ${event.seconds} s`;
    case 'converting':
      return `converting to ${event.dtype}`;
    case 'converted':
      return `${event.file}  ${megabytes(event.bytes)}`;
  }
}

type Timed = ModelInfo['variants'][number] & { imagesPerSecond?: number };

/** Adds how fast each variant is on this machine, one after the other: together they would fight over its cores. */
async function withSpeeds({ path, variants }: ModelInfo): Promise<Timed[]> {
  const timed: Timed[] = [];
  const { measureSpeed } = await import('../classifier/index.js');
  const line = progressLine();
  for (const variant of variants) {
    line.show(`measuring ${variant.dtype}`);
    const dtype = variant.dtype as Dtype;
    timed.push({ ...variant, imagesPerSecond: await measureSpeed({ model: path, dtype }) });
  }
  line.clear();
  return timed;
}

function tellInfo(
  info: Omit<ModelInfo, 'variants'> & { variants: Timed[] },
  { json }: { json?: boolean | undefined },
): void {
  if (json) {
    printJson(info);
    return;
  }
  const rows = [
    ['folder', info.path],
    ['source', [info.source, info.revision].filter(Boolean).join(' at ')],
    ['licence', info.license ?? 'unknown'],
    ['kind', `${info.architecture} (${info.modelType}), images ${JSON.stringify(info.imageSize)}`],
    ['labels', info.labels.join(', ')],
    ...info.variants.map(({ dtype, file, bytes, verified, imagesPerSecond }) => [
      dtype,
      `${file}, ${megabytes(bytes)}${imagesPerSecond ? `, ${imagesPerSecond.toPrecision(3)} images/s here` : ''}${verified ? `, ${verified.passed ? 'agrees' : 'DISAGREES'} with ${verified.reference}` : ''}`,
    ]),
  ];
  say(
    rows
      .filter(([, value]) => value !== '')
      .map(([name = '', value = '']) => `${name.padEnd(8)}  ${value}`)
      .join('\n'),
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
