import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ModelError, systemCode } from '../errors.js';

export const configFile = 'config.json';
export const preprocessorFile = 'preprocessor_config.json';

/** A real config is a few kilobytes. */
const maxBytes = 16 * 2 ** 20;

/** Reads a small JSON file of a model. Throws ModelError where it is missing, too large or no JSON. */
export async function readModelJson(folder: string, name: string): Promise<unknown> {
  const path = join(folder, name);
  try {
    const { size } = await stat(path);
    if (size > maxBytes) throw new ModelError(`${path} is too large for a config: ${size} bytes.`);
    // Editors of Windows put a byte order mark first.
    return JSON.parse((await readFile(path, 'utf8')).replace(/^\uFEFF/, ''));
  } catch (error) {
    if (systemCode(error) === 'ENOENT')
      throw new ModelError(`${path} is missing: this is no model folder.`, { cause: error });
    if (error instanceof SyntaxError)
      throw new ModelError(`${path} is no JSON: ${error.message}`, { cause: error });
    throw error;
  }
}

/** Whether a config.json is of timm, which keeps labels and preprocessing in words of its own. */
export const isTimm = (config: unknown): boolean => {
  const parsed = z
    .looseObject({ pretrained_cfg: z.looseObject({}).nullish(), model_type: z.string().nullish() })
    .safeParse(config);
  return parsed.success && (Boolean(parsed.data.pretrained_cfg) || parsed.data.model_type === 'timm_wrapper');
};

// People name classes by numbers as well.
const label = z.union([z.string(), z.number().transform(String)]);
const labelsSchema = z.object({
  id2label: z.record(z.string(), label).nullish(),
  label2id: z.record(z.string(), z.coerce.number()).nullish(),
  label_names: z.array(label).nullish(),
  num_labels: z.int().min(1).max(100_000).nullish(),
});

/** The labels by class number. Throws ModelError where config.json does not name them. */
export function readLabels(config: unknown): string[] {
  const parsed = labelsSchema.safeParse(config);
  if (!parsed.success) throw new ModelError(`config.json is unusable: ${z.prettifyError(parsed.error)}`);
  const { id2label, label2id, label_names: names, num_labels: count } = parsed.data;
  if (id2label) return inOrder(id2label, 'id2label');
  if (label2id && Object.keys(label2id).length > 0) {
    const turned = Object.entries(label2id).map(([name, id]) => [String(id), name]);
    return inOrder(Object.fromEntries(turned) as Record<string, string>, 'label2id');
  }
  if (names) return unique(names);
  // As transformers names them.
  if (count) return Array.from({ length: count }, (_, id) => `LABEL_${id}`);
  throw new ModelError(
    'config.json has no id2label: without the names of its labels no rule of a gate can be applied. ' +
      'Add {"0": "first label", ...}.',
  );
}

function inOrder(byId: Record<string, string>, key: string): string[] {
  const labels = Array.from({ length: Object.keys(byId).length }, (_, id) => byId[id]);
  if (labels.length === 0 || labels.includes(undefined))
    throw new ModelError(`${key} in config.json does not number its labels 0, 1, 2 and so on.`);
  return unique(labels as string[]);
}

/** Two classes of one name could not be told apart: a rule's threshold would mean either. */
function unique(labels: string[]): string[] {
  const twice = labels.find((name, id) => labels.indexOf(name) !== id);
  if (twice === undefined) return labels;
  throw new ModelError(`config.json names two labels "${twice}": give each its own name.`);
}
