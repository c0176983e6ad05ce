import { describeVariant } from './convert.js';
import { dtypes, type Dtype } from '../base/dtypes.js';
import { configFile, isTimm, preprocessorFile, readLabels, readModelJson } from '../base/model-json.js';
import { findOnnx } from '../base/onnx-files.js';
import { readManifest, type VariantFile } from '../base/model-manifest.js';
import { architectureOf } from './vit-config.js';

export interface ModelInfo {
  path: string;
  /** The Hub's repository or the folder it was converted from; undefined for a folder that reroll did not make. */
  source: string | undefined;
  revision: string | undefined;
  license: string | undefined;
  /** `converted` by reroll, or `published` as ONNX. */
  made: 'converted' | 'published' | undefined;
  architecture: string;
  modelType: string;
  /** By class number. */
  labels: string[];
  /** The preprocessor's `size`, as it is written there. */
  imageSize: unknown;
  variants: ({ dtype: string } & VariantFile)[];
}

/** What a model's folder holds. Throws ModelError where it is no folder of a classifier. */
export async function modelInfo(folder: string): Promise<ModelInfo> {
  const config = await readModelJson(folder, configFile);
  const preprocessor = isTimm(config) ? undefined : await readModelJson(folder, preprocessorFile);
  const manifest = await readManifest(folder);
  return {
    path: folder,
    source: manifest?.source,
    revision: manifest?.revision,
    license: manifest?.license,
    made: manifest?.made,
    ...architectureOf(config),
    labels: readLabels(config),
    imageSize:
      typeof preprocessor === 'object' && preprocessor !== null && 'size' in preprocessor
        ? preprocessor.size
        : undefined,
    variants: await variantsOf(folder, manifest?.variants ?? {}),
  };
}

/** The variants that are there, as the manifest describes them or, without one, as they are found. */
async function variantsOf(
  folder: string,
  known: Record<string, VariantFile>,
): Promise<ModelInfo['variants']> {
  const variants: ModelInfo['variants'] = [];
  for (const dtype of Object.keys(dtypes) as Dtype[]) {
    const file = await findOnnx(folder, dtype);
    if (file === undefined) continue;
    variants.push({ dtype, ...(known[dtype] ?? (await describeVariant(folder, file))) });
  }
  return variants;
}
