import { access } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import type { Dtype } from '../base/dtypes.js';
import { sha256 } from '../base/files.js';
import { configFile, isTimm, preprocessorFile, readLabels, readModelJson } from '../base/model-json.js';
import { readManifest } from '../base/model-manifest.js';
import { findOnnx, onnxParts, onnxPlaces } from '../base/onnx-files.js';
import { ModelError } from '../errors.js';
import type { NetworkFile } from './network.js';
import type { ModelIdentity } from './port.js';

/** A model folder in the Hugging Face layout, checked. */
export interface ModelFolder {
  folder: string;
  identity: ModelIdentity;
  onnx: NetworkFile;
  labels: string[];
  /** Labels that are independent of each other: sigmoid instead of softmax. */
  independent: boolean;
  /** config.json as it is. */
  config: unknown;
  /** preprocessor_config.json as it is; undefined for a model of timm, which has none. */
  preprocessor: unknown;
}

/** Reads and checks a model folder. Throws ModelError that names the file at fault and what to do. */
export async function readModelFolder(folder: string, dtype: Dtype): Promise<ModelFolder> {
  await access(folder).catch(() => {
    throw new ModelError(
      `there is no model folder ${folder}. Check \`gate.model\`, or fetch the model with \`reroll model pull\`.`,
    );
  });
  const config = await readModelJson(folder, configFile);
  const labels = labelsOf(config, folder);
  const file = await findOnnx(folder, dtype);
  if (file === undefined) {
    throw new ModelError(
      `there is no ONNX file ${join(folder, onnxPlaces(dtype)[0])} (dtype ${dtype}). Make one with ` +
        '`reroll model convert <folder>`, or fetch a model with `reroll model pull <repository>`.',
    );
  }
  return {
    folder,
    onnx: { folder, file, dtype },
    labels,
    independent: isIndependent(config) || labels.length === 1,
    config,
    preprocessor: isTimm(config) ? undefined : await readModelJson(folder, preprocessorFile),
    identity: await identify(folder, file, dtype),
  };
}

function labelsOf(config: unknown, folder: string): string[] {
  try {
    return readLabels(config);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw new ModelError(`${folder}: ${error.message}`, { cause: error });
  }
}

const isIndependent = (config: unknown): boolean =>
  z.looseObject({ problem_type: z.literal('multi_label_classification') }).safeParse(config).success;

async function identify(folder: string, file: string, dtype: Dtype): Promise<ModelIdentity> {
  const parts = (await onnxParts(folder, file)).map((part) => join(folder, part));
  const manifest = await readManifest(folder);
  if (manifest) return { name: manifest.source, revision: manifest.revision, dtype };
  return { name: basename(folder), revision: (await sha256(...parts)).slice(0, 12), dtype };
}
