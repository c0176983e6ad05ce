import { copyFile, mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

import { ModelError, systemCode } from '../../errors.js';
import { storageError } from '../../base/atomic.js';
import { readRef, writeRef } from '../cache.js';
import type { OnEvent } from '../events.js';
import { CONFIG_FILE, fileBytes, ONNX_FILES, PREPROCESSOR_FILE } from '../files.js';
import { readIndex, SHARD_INDEX, SINGLE_FILE } from '../safetensors/index.js';
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
  const configs = [CONFIG_FILE, PREPROCESSOR_FILE].map((path) => needed(listing, path, name));
  const onnx = onnxFiles([...listing.files.keys()]);
  const single = listing.files.get(SINGLE_FILE);
  const index = listing.files.get(SHARD_INDEX);

  let weights: HubFile[];
  if (onnx.length > 0) weights = onnx.map((path) => needed(listing, path, name));
  else if (single) weights = [single];
  else if (index) {
    await fetchFile(index);
    const shards = new Set((await readIndex(join(folder, SHARD_INDEX))).values());
    weights = [...shards].map((path) => needed(listing, path, name));
  } else {
    throw new ModelError(`${name} has neither safetensors nor ONNX files: reroll reads no other weights`);
  }
  const files = [...configs, ...weights];
  onEvent?.({
    kind: 'resolved',
    revision: listing.commit,
    files: files.map((file) => file.path),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
  });
  for (const file of files) await fetchFile(file);
  await writeRef(home, revision, listing.commit);
  return {
    folder,
    commit: listing.commit,
    license: listing.license,
    weights: onnx.length > 0 ? 'onnx' : 'safetensors',
  };
}

/** The ONNX files to take: fp32 and q8 with their external data; where neither is there, one other variant. */
export function onnxFiles(paths: string[]): string[] {
  const withData = (file: string) =>
    paths.filter(
      (path) =>
        path === file || (path.startsWith(`${file}_data`) && /^(_\d+)?$/.test(path.slice(file.length + 5))),
    );
  const usual = [ONNX_FILES.fp32, ONNX_FILES.q8].flatMap(withData);
  if (usual.length > 0) return usual;
  const other = Object.values(ONNX_FILES).find((file) => paths.includes(file));
  return other === undefined ? [] : withData(other);
}

async function cachedSnapshot(name: string, revision: string, home: string): Promise<Snapshot> {
  const missing = new ModelError(
    `${name} (revision ${revision}) is not in the cache ${home}, and reroll works offline. Pull it once while online`,
  );
  const commit = await readRef(home, revision);
  if (commit === undefined) throw missing;
  const folder = join(home, 'snapshots', commit);
  const has = async (path: string) => (await fileBytes(join(folder, path))) !== undefined;
  for (const path of [CONFIG_FILE, PREPROCESSOR_FILE]) if (!(await has(path))) throw missing;
  const onnx = await Promise.all(Object.values(ONNX_FILES).map(has));
  if (onnx.includes(true)) return { folder, commit, license: undefined, weights: 'onnx' };
  if ((await has(SINGLE_FILE)) || (await hasShards(folder))) {
    return { folder, commit, license: undefined, weights: 'safetensors' };
  }
  throw missing;
}

async function hasShards(folder: string): Promise<boolean> {
  const index = join(folder, SHARD_INDEX);
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
    if (code !== 'EPERM' && code !== 'ENOSYS') throw storageError(path, error);
    await copyFile(blob, path);
  }
}
