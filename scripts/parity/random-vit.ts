import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { type NewTensor, writeSafetensors } from '../../src/models/index.js';

/**
 * ViT checkpoints with weights that follow from their names alone, so that make.py beside this file makes the very
 * same ones in Python and nothing large is committed. Both sides must change together: see docs/parity.md.
 */

export interface RandomVit {
  architecture: string;
  model_type: 'vit' | 'deit' | 'vit_msn';
  hidden_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  intermediate_size: number;
  hidden_act: string;
  layer_norm_eps: number;
  image_size: number | [number, number];
  patch_size: number | [number, number];
  num_channels: number;
  qkv_bias: boolean;
  labels: string[];
  /** The weights' names of transformers 5 in memory; otherwise those that every version saves. */
  new_names?: boolean;
  /** A pooler, which no classifier uses. */
  pooler?: boolean;
}

/** FNV-1a of the name's UTF-8 bytes. */
function seedOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** `count` numbers, evenly spread over centre - spread .. centre + spread. */
export function randomFloats(name: string, count: number, spread: number, centre = 0): Float32Array {
  const seed = seedOf(name);
  const floats = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let x = (seed + i) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    x ^= x >>> 16;
    floats[i] = centre + ((x >>> 8) / 2 ** 23 - 1) * spread;
  }
  return floats;
}

const pair = (side: number | [number, number]) => (typeof side === 'number' ? [side, side] : side);

/** Every tensor of the checkpoint, its data made when asked for. Names are those that transformers saves. */
export function randomTensors(vit: RandomVit): NewTensor[] {
  const { hidden_size: hidden, intermediate_size: wide, model_type: type } = vit;
  const prefix = type === 'deit' ? 'deit' : 'vit';
  const [height, width] = pair(vit.image_size) as [number, number];
  const [patchHeight, patchWidth] = pair(vit.patch_size) as [number, number];
  const patches = Math.floor(height / patchHeight) * Math.floor(width / patchWidth);
  const special = type === 'deit' ? 2 : 1;
  const tensors: NewTensor[] = [];

  const add = (name: string, shape: number[], spread: number, centre = 0) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const saved = vit.new_names ? newName(name) : name;
    // The seed is the old name in both layouts, so that they hold the same numbers.
    tensors.push({ name: saved, dtype: 'F32', shape, data: () => randomFloats(name, count, spread, centre) });
  };
  const linear = (name: string, outputs: number, inputs: number, bias = true) => {
    add(`${name}.weight`, [outputs, inputs], Math.sqrt(3 / inputs));
    if (bias) add(`${name}.bias`, [outputs], 0.1);
  };
  const norm = (name: string) => {
    add(`${name}.weight`, [hidden], 0.2, 1);
    add(`${name}.bias`, [hidden], 0.1);
  };

  add(`${prefix}.embeddings.cls_token`, [1, 1, hidden], 0.5);
  if (special === 2) add(`${prefix}.embeddings.distillation_token`, [1, 1, hidden], 0.5);
  add(`${prefix}.embeddings.position_embeddings`, [1, patches + special, hidden], 0.5);
  const kernel = [hidden, vit.num_channels, patchHeight, patchWidth];
  const projection = `${prefix}.embeddings.patch_embeddings.projection`;
  add(`${projection}.weight`, kernel, Math.sqrt(3 / (vit.num_channels * patchHeight * patchWidth)));
  add(`${projection}.bias`, [hidden], 0.1);
  for (let index = 0; index < vit.num_hidden_layers; index++) {
    const layer = `${prefix}.encoder.layer.${index}`;
    for (const part of ['query', 'key', 'value']) {
      linear(`${layer}.attention.attention.${part}`, hidden, hidden, vit.qkv_bias);
    }
    linear(`${layer}.attention.output.dense`, hidden, hidden);
    linear(`${layer}.intermediate.dense`, wide, hidden);
    linear(`${layer}.output.dense`, hidden, wide);
    norm(`${layer}.layernorm_before`);
    norm(`${layer}.layernorm_after`);
  }
  norm(`${prefix}.layernorm`);
  if (vit.pooler) linear(`${prefix}.pooler.dense`, hidden, hidden);
  const heads = vit.architecture.endsWith('WithTeacher')
    ? ['cls_classifier', 'distillation_classifier']
    : ['classifier'];
  for (const head of heads) linear(head, vit.labels.length, hidden);
  return tensors;
}

function newName(name: string): string {
  return name
    .replace('.encoder.layer.', '.layers.')
    .replace(/\.attention\.attention\.(q|k|v)[a-z]+/, '.attention.$1_proj')
    .replace('.attention.output.dense', '.attention.o_proj')
    .replace('.intermediate.dense', '.mlp.fc1')
    .replace(/(layers\.\d+)\.output\.dense/, '$1.mlp.fc2');
}

/** The config.json that transformers would save. */
export function configOf(vit: RandomVit): object {
  const { architecture, labels, ...config } = vit;
  return {
    ...config,
    architectures: [architecture],
    id2label: Object.fromEntries(labels.map((label, id) => [String(id), label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
  };
}

export const vitPreprocessor = {
  do_normalize: true,
  do_rescale: true,
  do_resize: true,
  image_mean: [0.5, 0.5, 0.5],
  image_processor_type: 'ViTImageProcessor',
  image_std: [0.5, 0.5, 0.5],
  resample: 2,
  rescale_factor: 1 / 255,
  size: { height: 224, width: 224 },
};

/** Writes the checkpoint as a model's folder: config.json, preprocessor_config.json, model.safetensors. */
export async function writeRandomVit(folder: string, vit: RandomVit): Promise<string> {
  const [height, width] = pair(vit.image_size);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify(configOf(vit)));
  const preprocessor = { ...vitPreprocessor, size: { height, width } };
  await writeFile(join(folder, 'preprocessor_config.json'), JSON.stringify(preprocessor));
  await writeSafetensors(join(folder, 'model.safetensors'), randomTensors(vit), { format: 'pt' });
  return folder;
}

/** A ViT that runs in milliseconds. */
export const tinyVit: RandomVit = {
  architecture: 'ViTForImageClassification',
  model_type: 'vit',
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 64,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
  image_size: 32,
  patch_size: 8,
  num_channels: 3,
  qkv_bias: true,
  labels: [
    'Realistic_Bad_Anatomy',
    'Realistic_Good_Anatomy',
    'Unrealistic_Bad_Anatomy',
    'Unrealistic_Good_Anatomy',
  ],
};

/** google/vit-base-patch16-224's shape, with the default classifier's four labels. */
export const vitBase: RandomVit = {
  ...tinyVit,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  image_size: 224,
  patch_size: 16,
};
