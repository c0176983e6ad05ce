import { resolve } from 'node:path';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { measureSpeed, openClassifier, type Classifier, type Dtype } from '../classifier/index.js';
import {
  convertModel,
  DEFAULT_VARIANTS,
  modelInfo,
  pullModel,
  verifyModel,
  type ModelEvent,
  type ModelInfo,
  type Variant,
} from '../models/index.js';
import { modelFolder, opening } from '../runtime/index.js';
import { exitCodes } from './exit.js';
import { imageFiles } from './image-files.js';
import { printJson } from './print.js';
import { progressLine } from './progress-line.js';
import { listenForInterrupts } from './signals.js';

const variants = ['fp32', 'fp16', 'q8', 'int8', 'uint8'];

/** `reroll model`: get a model from the Hugging Face Hub, make it ONNX, check it. */
export function addModelCommands(program: Command, exit: (code: number) => void): void {
  const model = program
    .command('model')
    .description('get a model from the Hugging Face Hub, make it ONNX, check it')
    .addHelpText('after', '\nExample:\n  $ reroll model pull angusleung100/bad-anatomy-realism-classifier');

  model
    .command('pull')
    .description('fetch a model, convert it to ONNX where it has none, and keep it in the cache')
    .argument('<name>', 'its name on the Hub, owner/name')
    .option('--revision <revision>', 'branch, tag or commit', 'main')
    .option('--offline', 'use what the caches hold; ask nobody')
    .option('--json', 'print one JSON object at the end')
    .addHelpText(
      'after',
      `
Reads HF_TOKEN (never logged), HF_ENDPOINT (a mirror), HF_HOME and HF_HUB_CACHE (the cache that Python shares),
REROLL_CACHE (where the ONNX files go). A download that was cut goes on where it stopped.`,
    )
    .action(async (name: string, options: { revision: string; offline?: boolean; json?: boolean }) => {
      const folder = await whileShown((onEvent, signal) =>
        pullModel(name, {
          revision: options.revision,
          offline: options.offline ?? false,
          env: process.env,
          onEvent,
          signal,
        }),
      );
      // A model that does not load is no model: find out now, not in the night.
      const classifier = await openClassifier({ model: folder.path });
      await classifier.close();
      tellInfo(await modelInfo(folder.path), options);
      exit(exitCodes.done);
    });

  model
    .command('convert')
    .description('make ONNX files of a checkpoint on disk (safetensors)')
    .argument('<folder>', 'config.json, preprocessor_config.json, model.safetensors')
    .argument('<out>', 'folder to write')
    .option('--variants <list>', `which of ${variants.join(', ')} to make`, variantsOf, DEFAULT_VARIANTS)
    .option('--json', 'print one JSON object at the end')
    .action(async (folder: string, out: string, options: ConvertFlags) => {
      const made = await whileShown((onEvent, signal) =>
        convertModel(folder, resolve(out), { variants: options.variants, onEvent, signal }),
      );
      tellInfo(await modelInfo(made.path), options);
      exit(exitCodes.done);
    });

  model
    .command('info')
    .description('labels, sizes, revision, licence and files of a model, and its speed on this machine')
    .argument('<model>', 'a folder, or a Hub repository that was pulled')
    .option('--json', 'print a JSON object')
    .action(async (name: string, options: { json?: boolean }) => {
      const info = await modelInfo(await modelFolder(name, process.cwd(), process.env));
      tellInfo({ ...info, variants: await withSpeeds(info) }, options);
      exit(exitCodes.done);
    });

  model
    .command('verify')
    .description('compare two variants of a model on images; one that disagrees is refused from then on')
    .argument('<model>', 'a folder, or a Hub repository that was pulled')
    .argument('<images...>', 'image files, folders, globs, or - for a list on standard input')
    .option('--dtype <name>', 'the variant to test', dtypeOf, 'q8')
    .option('--reference <name>', 'what it is compared with', dtypeOf, 'fp32')
    .option('--json', 'print a JSON object')
    .addHelpText('after', '\nExit codes: 0 they agree; 1 they do not; 2 could not run')
    .action(async (name: string, images: string[], options: VerifyFlags) => {
      exit((await verify(name, images, options)) ? exitCodes.done : exitCodes.found);
    });
}

interface ConvertFlags {
  variants: Variant[];
  json?: boolean;
}

interface VerifyFlags {
  dtype: Dtype;
  reference: Dtype;
  json?: boolean;
}

function verify(name: string, images: string[], { dtype, reference, json }: VerifyFlags): Promise<boolean> {
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
      onProgress: (count) => line.show(`${count} images`),
    });
    line.clear();
    await releasers.close();
    if (json) printJson(verified);
    else {
      process.stdout.write(
        `${dtype} against ${reference} on ${verified.images} images: the same label on ` +
          `${(verified.agreement * 100).toFixed(1)} %, probabilities at most ${verified.largestDifference.toFixed(4)} apart. ` +
          `${verified.passed ? 'They agree.' : `They disagree: ${dtype} is refused from now on.`}\n`,
      );
    }
    return verified.passed;
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
  { json }: { json?: boolean },
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
  process.stdout.write(
    rows
      .filter(([, value]) => value !== '')
      .map(([name = '', value = '']) => `${name.padEnd(8)}  ${value}`)
      .join('\n') + '\n',
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

function variantsOf(text: string): Variant[] {
  const wanted = text.split(',').map((name) => name.trim());
  for (const name of wanted) {
    if (!variants.includes(name)) throw new InvalidArgumentError(`each is one of ${variants.join(', ')}.`);
  }
  return wanted as Variant[];
}

function dtypeOf(text: string): Dtype {
  if (!variants.includes(text)) throw new InvalidArgumentError(`it is one of ${variants.join(', ')}.`);
  return text as Dtype;
}
