import { copyFile, mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, join, posix, relative } from 'node:path';

import { ModelError, systemCode } from '../../errors.js';
import { storageError } from '../../base/storage.js';
import { readRef, writeRef } from '../cache.js';
import type { OnEvent } from '../events.js';
import { dtypes, type Dtype } from '../../base/dtypes.js';
import { fileBytes } from '../../base/files.js';
import { configFile, isTimm, preprocessorFile, readModelJson } from '../../base/model-json.js';
import { findOnnx, onnxParts, onnxPlaces } from '../../base/onnx-files.js';
import { externalData } from '../../base/external-data.js';
import { readIndex, shardIndex, singleFile } from '../safetensors/index.js';
import { download } from './download.js';
import { type HubFile, type Listing, listModel } from './listing.js';
import type { HubSettings } from './settings.js';

/** A model's files of one commit, in the cache that Python's huggingface_hub shares. */
export interface Snapshot {
  folder: string;
  commit: string;
  license: string | undefined;
  /** What the weights are there as. */
  weights: 'onnx' | 'safetensors';
}

export interface SnapshotOptions {
  settings: HubSettings;
  onEvent?: OnEvent | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Fetches the files that a classifier needs and nothing else: the configs and, of the weights, ONNX files
 * where the repository has them, safetensors otherwise. Layout: blobs/, refs/, snapshots/, as Python writes it.
 */
export async function fetchSnapshot(
  name: string,
  revision: string,
  options: SnapshotOptions,
): Promise<Snapshot> {
  const { settings, onEvent, signal } = options;
  const home = join(settings.cache, `models--${name.replace('/', '--')}`);
  if (settings.offline) return cachedSnapshot(name, revision, home);

  const listing = await listModel(name, revision, settings, onEvent, signal);
  const folder = join(home, 'snapshots', listing.commit);
  const fetchFile = async (file: HubFile) => {
    const blob = join(home, 'blobs', file.checksum.hex);
    await download(blob, { name, commit: listing.commit, file }, settings, onEvent, signal);
    await link(blob, join(folder, file.path));
  };
  const config = needed(listing, configFile, name);
  const preprocessor = listing.files.get(preprocessorFile);
  const onnx = onnxFiles([...listing.files.keys()]);
  const single = listing.files.get(singleFile);
  const index = listing.files.get(shardIndex);

  let weights: HubFile[];
  if (onnx.length > 0) weights = onnx.map((path) => needed(listing, path, name));
  else if (single) weights = [single];
  else if (index) {
    await fetchFile(index);
    const shards = new Set((await readIndex(join(folder, shardIndex))).values());
    weights = [...shards].map((path) => needed(listing, path, name));
  } else {
    const other = [...listing.files.keys()].filter((path) => path.endsWith('.onnx')).slice(0, 5);
    throw new ModelError(
      other.length > 0
        ? `${name} has ONNX files, but none where reroll looks for it (onnx/model.onnx or model.onnx, also _fp16, ` +
            `_quantized and so on): ${other.join(', ')}. Export it with optimum, or ask its author`
        : `${name} has neither safetensors nor ONNX files: reroll reads no other weights`,
    );
  }
  const files = [config, ...(preprocessor ? [preprocessor] : []), ...weights];
  onEvent?.({
    kind: 'resolved',
    revision: listing.commit,
    files: files.map((file) => file.path),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
  });
  await fetchFile(config);
  if (!isTimm(await readModelJson(folder, configFile))) needed(listing, preprocessorFile, name);
  for (const file of files.slice(1)) await fetchFile(file);
  for (const file of onnx.filter((path) => path.endsWith('.onnx'))) {
    // Whatever the files with its weights are called, the file itself says it.
    for (const location of await externalData(join(folder, file)))
      await fetchFile(needed(listing, posix.join(dirname(file), location), name));
  }
  await writeRef(home, revision, listing.commit);
  return {
    folder,
    commit: listing.commit,
    license: listing.license,
    weights: onnx.length > 0 ? 'onnx' : 'safetensors',
  };
}

/**
 * The ONNX files to take: fp32 and q8, where neither is there one other variant; and what by its name is external
 * data of theirs, as transformers.js (`model.onnx_data`, `model.onnx_data_1`) and PyTorch (`model.onnx.data`) have it.
 */
export function onnxFiles(paths: string[]): string[] {
  const fileOf = (dtype: Dtype) => onnxPlaces(dtype).find((place) => paths.includes(place));
  const isData = (rest: string) => /^[._]data(_\d+)?$/.test(rest);
  const withData = (file: string) =>
    paths.filter((path) => path === file || (path.startsWith(file) && isData(path.slice(file.length))));
  const usual = (['fp32', 'q8'] as const).flatMap((dtype) => fileOf(dtype) ?? []);
  const all = (Object.keys(dtypes) as Dtype[]).flatMap((dtype) => fileOf(dtype) ?? []);
  return (usual.length > 0 ? usual : all.slice(0, 1)).flatMap(withData);
}

async function cachedSnapshot(name: string, revision: string, home: string): Promise<Snapshot> {
  const missing = new ModelError(
    `${name} (revision ${revision}) is not in the cache ${home}, and reroll works offline. Pull it once while online`,
  );
  const commit = await readRef(home, revision);
  if (commit === undefined) throw missing;
  const folder = join(home, 'snapshots', commit);
  const has = async (path: string) => (await fileBytes(join(folder, path))) !== undefined;
  if (!(await has(configFile))) throw missing;
  if (!(await has(preprocessorFile)) && !isTimm(await readModelJson(folder, configFile))) throw missing;
  for (const dtype of Object.keys(dtypes) as Dtype[]) {
    const file = await findOnnx(folder, dtype);
    // Throws where Python fetched the file, but not its weights.
    if (file !== undefined && (await onnxParts(folder, file)).length > 0)
      return { folder, commit, license: undefined, weights: 'onnx' };
  }
  if ((await has(singleFile)) || (await hasShards(folder))) {
    return { folder, commit, license: undefined, weights: 'safetensors' };
  }
  throw missing;
}

async function hasShards(folder: string): Promise<boolean> {
  const index = join(folder, shardIndex);
  if ((await fileBytes(index)) === undefined) return false;
  for (const shard of (await readIndex(index)).values()) {
    if ((await fileBytes(join(folder, shard))) === undefined) return false;
  }
  return true;
}

function needed(listing: Listing, path: string, name: string): HubFile {
  const file = listing.files.get(path);
  if (file) return file;
  throw new ModelError(`${name} has no ${path}: it is no image classifier that transformers saved`);
}

/** A relative symlink, as Python makes it; a copy where the system has no symlinks. */
async function link(blob: string, path: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await rm(path, { force: true });
    await symlink(relative(dirname(path), blob), path);
  } catch (error) {
    const code = systemCode(error);
    // Another process made the same link at the same time.
    if (code === 'EEXIST') return;
    if (code !== 'EPERM' && code !== 'ENOSYS') throw storageError('write', path, error);
    await copyFile(blob, path);
  }
}
