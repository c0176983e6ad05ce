import { copyFile, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { storageError } from '../base/storage.js';
import type { OnEvent } from './events.js';
import { type Manifest, readManifest, type VariantFile, writeManifest } from '../base/model-manifest.js';
import { defaultVariants, type Variant } from '../base/dtypes.js';
import { fileBytes, sha256 } from '../base/files.js';
import { configFile, isTimm, preprocessorFile, readModelJson } from '../base/model-json.js';
import { onnxParts, onnxPlaces } from '../base/onnx-files.js';
import { type WriteOptions, writeOnnx } from '../onnx/index.js';
import { vitGraph } from './vit-graph.js';
import { checkpointFiles, openCheckpoint } from './safetensors/index.js';
import { readVitConfig } from './vit-config.js';
import { VitWeights } from './vit-weights.js';

/** fp32 is what every other variant is verified against. */

export interface ConvertOptions extends WriteOptions {
  /** Default fp32 and q8. */
  variants?: Variant[];
  /** What the manifest says about the checkpoint. Default: the folder, and its weights' hash. */
  source?: string;
  revision?: string;
  license?: string;
  signal?: AbortSignal;
  onEvent?: OnEvent;
}

/** A model's folder that is complete: config.json, preprocessor_config.json, onnx/, reroll.json. */
export interface ModelFolder {
  path: string;
  manifest: Manifest;
}

/**
 * Converts a checkpoint of a ViT image classifier (safetensors, in the layout of the Hub) to ONNX files in `out`.
 * Everything is checked before the first byte is written, and weights are streamed: memory stays at some 150 MB.
 * Throws ModelError where the checkpoint cannot be converted, StorageError where the disk fails.
 */
export async function convertModel(
  folder: string,
  out: string,
  options: ConvertOptions = {},
): Promise<ModelFolder> {
  const config = readVitConfig(await readModelJson(folder, configFile));
  await readModelJson(folder, preprocessorFile);
  const checkpoint = await openCheckpoint(folder);
  try {
    const weights = new VitWeights(checkpoint);
    const graphs = (options.variants ?? defaultVariants).map(
      (variant) => [variant, vitGraph(config, weights, variant)] as const,
    );
    await copyConfigs(folder, out);
    const source = options.source ?? resolve(folder);
    const revision = options.revision ?? (await sha256(...(await checkpointFiles(folder)))).slice(0, 12);
    const earlier = await readManifest(out);
    const isSame = earlier?.source === source && earlier.revision === revision;
    const variants: Record<string, VariantFile> = isSame ? { ...earlier.variants } : {};
    for (const [variant, graph] of graphs) {
      options.signal?.throwIfAborted();
      const [file] = onnxPlaces(variant);
      options.onEvent?.({ kind: 'converting', dtype: variant, file });
      await writeOnnx(join(out, file), graph, options);
      const written = await describeVariant(out, file);
      variants[variant] = written;
      options.onEvent?.({ kind: 'converted', dtype: variant, file, bytes: written.bytes });
    }
    const manifest: Manifest = {
      source,
      revision,
      ...(options.license !== undefined && { license: options.license }),
      made: 'converted',
      variants,
    };
    await writeManifest(out, manifest);
    return { path: out, manifest };
  } finally {
    await checkpoint.close();
  }
}

/** config.json and preprocessor_config.json, as they are. */
export async function copyConfigs(from: string, to: string): Promise<void> {
  if (resolve(from) === resolve(to)) return;
  try {
    await mkdir(to, { recursive: true });
    const hasPreprocessor = !isTimm(await readModelJson(from, configFile));
    for (const name of [configFile, ...(hasPreprocessor ? [preprocessorFile] : [])])
      await copyFile(join(from, name), join(to, name));
  } catch (error) {
    throw storageError('write', to, error);
  }
}

/** What the manifest says about an ONNX file, its external data included. */
export async function describeVariant(folder: string, file: string): Promise<VariantFile> {
  const parts = (await onnxParts(folder, file)).map((part) => join(folder, part));
  const sizes = await Promise.all(parts.map(fileBytes));
  return {
    file,
    bytes: sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0),
    sha256: await sha256(...parts),
  };
}
