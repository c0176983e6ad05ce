import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { ModelError } from '../../errors.js';
import { openSafetensors, type Tensors } from './file.js';
import type { TensorInfo } from './header.js';

export const singleFile = 'model.safetensors';
export const shardIndex = 'model.safetensors.index.json';

/** A real index names a few thousand tensors; anything larger is hostile. */
const maxIndexBytes = 64 * 2 ** 20;

/** The weights of a model's folder: one safetensors file, or the shards that its index names. */
export async function openCheckpoint(folder: string): Promise<Tensors> {
  if (await isFile(join(folder, singleFile))) return openSafetensors(join(folder, singleFile));
  const indexFile = join(folder, shardIndex);
  if (!(await isFile(indexFile))) {
    throw new ModelError(
      `${folder} has neither ${singleFile} nor ${shardIndex}. Only safetensors checkpoints can be converted`,
    );
  }
  return openShards(folder, await readIndex(indexFile));
}

/** The paths of all files that hold a folder's weights. */
export async function checkpointFiles(folder: string): Promise<string[]> {
  if (await isFile(join(folder, singleFile))) return [join(folder, singleFile)];
  const files = new Set((await readIndex(join(folder, shardIndex))).values());
  return [...files].sort().map((file) => join(folder, file));
}

/** Tensor name -> shard file name, from an index on disk. */
export async function readIndex(path: string): Promise<Map<string, string>> {
  const { size } = await stat(path);
  if (size > maxIndexBytes) throw new ModelError(`${path} is too large for an index: ${size} bytes`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new ModelError(`${path} is no JSON`, { cause: error });
  }
  const map = typeof parsed === 'object' && parsed !== null && 'weight_map' in parsed && parsed.weight_map;
  if (typeof map !== 'object' || map === null) throw new ModelError(`${path} has no weight_map`);
  const files = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    // A shard lies beside its index: any other path could read a file of the user's that is none of the model's.
    if (
      typeof file !== 'string' ||
      basename(file) !== file ||
      !file.endsWith('.safetensors') ||
      file.includes('\\')
    ) {
      throw new ModelError(`${path} names a shard outside its folder: ${JSON.stringify(file)}`);
    }
    files.set(tensor, file);
  }
  if (files.size === 0) throw new ModelError(`${path} names no tensors`);
  return files;
}

async function openShards(folder: string, files: Map<string, string>): Promise<Tensors> {
  const shards = new Map<string, Tensors>();
  const close = async () => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    for (const file of new Set(files.values())) shards.set(file, await openSafetensors(join(folder, file)));
    const tensors = new Map<string, TensorInfo>();
    for (const [name, file] of files) {
      const tensor = shards.get(file)?.tensors.get(name);
      if (!tensor)
        throw new ModelError(`${join(folder, file)} lacks tensor "${name}", which the index promises`);
      tensors.set(name, tensor);
    }
    const shardOf = (name: string): Tensors => {
      const shard = shards.get(files.get(name) ?? '');
      if (!shard) throw new ModelError(`${folder} has no tensor "${name}"`);
      return shard;
    };
    return {
      tensors,
      metadata: new Map([...shards.values()].flatMap((shard) => [...shard.metadata])),
      read: async (name) => shardOf(name).read(name),
      readFloats: async (name) => shardOf(name).readFloats(name),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
