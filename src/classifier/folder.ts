import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { dtypes, type Dtype } from '../base/dtypes.js';
import { ModelError, systemCode, toError } from '../errors.js';
import type { ModelIdentity } from './port.js';

/** A model folder in the Hugging Face layout, checked. */
export interface ModelFolder {
  folder: string;
  identity: ModelIdentity;
  dtype: Dtype;
  labels: string[];
  /** Labels that are independent of each other: sigmoid instead of softmax. */
  independent: boolean;
  /** preprocessor_config.json as it is. */
  preprocessing: unknown;
}

const configSchema = z.object({
  id2label: z.record(z.string(), z.string()),
  problem_type: z.string().nullish(),
});
/** What reroll itself leaves beside a model that it fetched or made. */
const originSchema = z.object({ source: z.string(), revision: z.string() });

const advice =
  'Make one with `reroll model convert <folder>`, or fetch a model with `reroll model pull <repository>`.';

/** Reads and checks a model folder. Throws ModelError that names the file at fault and what to do. */
export async function readModelFolder(folder: string, dtype: Dtype): Promise<ModelFolder> {
  await access(folder).catch(() => {
    throw new ModelError(
      `there is no model folder ${folder}. Check \`gate.model\`, or fetch the model with \`reroll model pull\`.`,
    );
  });
  const config = configSchema.safeParse(await readJson(join(folder, 'config.json')));
  if (!config.success) {
    throw new ModelError(
      `${join(folder, 'config.json')} has no id2label: without the labels' names no rule of a gate can be applied.`,
    );
  }
  const onnx = join(folder, 'onnx', `model${dtypes[dtype]}.onnx`);
  await access(onnx).catch(() => {
    throw new ModelError(`there is no ONNX file ${onnx} (dtype ${dtype}). ${advice}`);
  });
  const labels = labelsInOrder(config.data.id2label, folder);
  return {
    folder,
    dtype,
    labels,
    independent: config.data.problem_type === 'multi_label_classification' || labels.length === 1,
    preprocessing: await readJson(join(folder, 'preprocessor_config.json')),
    identity: await identify(folder, onnx, dtype),
  };
}

function labelsInOrder(id2label: Record<string, string>, folder: string): string[] {
  const labels = Object.keys(id2label).map((_, index) => id2label[String(index)]);
  if (labels.length === 0 || labels.includes(undefined)) {
    throw new ModelError(
      `id2label in ${join(folder, 'config.json')} must number its labels 0, 1, 2 and so on.`,
    );
  }
  return labels.filter((label) => label !== undefined);
}

async function identify(folder: string, onnx: string, dtype: Dtype): Promise<ModelIdentity> {
  const json = await readJson(join(folder, 'reroll.json'), true);
  if (json === undefined) return { name: basename(folder), revision: await shortHash(onnx), dtype };
  const origin = originSchema.safeParse(json);
  if (!origin.success)
    throw new ModelError(`${join(folder, 'reroll.json')} must have a source and a revision.`);
  return { name: origin.data.source, revision: origin.data.revision, dtype };
}

async function shortHash(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(part as Buffer);
  return hash.digest('hex').slice(0, 12);
}

async function readJson(file: string, optional = false): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (optional && systemCode(error) === 'ENOENT') return undefined;
    const missing = systemCode(error) === 'ENOENT';
    throw new ModelError(missing ? `${file} is missing: this is no model folder.` : toError(error).message, {
      cause: error,
    });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new ModelError(`${file} is no JSON: ${toError(error).message}`, { cause: error });
  }
}
