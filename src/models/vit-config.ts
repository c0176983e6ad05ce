import { z } from 'zod';

import { isTimm, readLabels } from '../base/model-json.js';
import { ModelError } from '../errors.js';
import { activations } from '../onnx/index.js';

/** What the weights of a ViT classifier mean: read from its config.json. */
export interface VitConfig {
  /** vit, deit or vit_msn. */
  modelType: string;
  layers: number;
  hidden: number;
  heads: number;
  headSize: number;
  intermediate: number;
  activation: string;
  /** Of the layer norms. */
  epsilon: number;
  channels: number;
  /** [height, width] in pixels. */
  imageSize: [number, number];
  /** [height, width] in pixels. */
  patchSize: [number, number];
  /** Patches in an image. */
  patches: number;
  qkvBias: boolean;
  /** 1: the class token; 2: DeiT's distillation token as well. */
  specialTokens: 1 | 2;
  /** DeiT with a second head, on the distillation token. */
  teacher: boolean;
  /** By class number. */
  labels: string[];
}

const convertible = new Map([
  ['ViTForImageClassification', 'vit'],
  ['DeiTForImageClassification', 'deit'],
  ['DeiTForImageClassificationWithTeacher', 'deit'],
  ['ViTMSNForImageClassification', 'vit_msn'],
]);

const count = z.number().int().positive();
const sides = z
  .union([count, z.tuple([count, count])])
  .transform((side): [number, number] => (typeof side === 'number' ? [side, side] : side));

/** The defaults are transformers' own: a saved config.json may leave them out. */
const schema = z.object({
  hidden_size: count.default(768),
  num_hidden_layers: count.default(12),
  num_attention_heads: count.default(12),
  head_dim: count.nullish(),
  intermediate_size: count.default(3072),
  hidden_act: z.string().default('gelu'),
  layer_norm_eps: z.number().positive().optional(),
  image_size: sides.default([224, 224]),
  patch_size: sides.default([16, 16]),
  num_channels: count.default(3),
  qkv_bias: z.boolean().default(true),
});

/** Reads the config.json of a classifier that can be converted. Throws ModelError that says what is wrong with it. */
export function readVitConfig(json: unknown): VitConfig {
  const { architecture, modelType } = architectureOf(json);
  if (convertible.get(architecture) !== modelType) {
    throw new ModelError(
      `A ${architecture} (model_type "${modelType}") cannot be converted: reroll converts ` +
        `${[...convertible.keys()].join(', ')}. A repository of another architecture works where it has ONNX files`,
    );
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new ModelError(`config.json is unusable: ${z.prettifyError(parsed.error)}`);
  const config = parsed.data;
  const { hidden_size: hidden, num_attention_heads: heads } = config;
  const headSize = config.head_dim ?? hidden / heads;
  if (!Number.isInteger(headSize)) {
    throw new ModelError(
      `config.json is unusable: hidden_size ${hidden} is no multiple of ${heads} attention heads`,
    );
  }
  if (!activations.has(config.hidden_act)) {
    throw new ModelError(
      `The activation "${config.hidden_act}" cannot be converted: reroll knows ${[...activations.keys()].join(', ')}`,
    );
  }
  const [height, width] = config.image_size;
  const [patchHeight, patchWidth] = config.patch_size;
  return {
    modelType,
    layers: config.num_hidden_layers,
    hidden,
    heads,
    headSize,
    intermediate: config.intermediate_size,
    activation: config.hidden_act,
    epsilon: config.layer_norm_eps ?? (modelType === 'vit_msn' ? 1e-6 : 1e-12),
    channels: config.num_channels,
    imageSize: [height, width],
    patchSize: [patchHeight, patchWidth],
    patches: Math.floor(height / patchHeight) * Math.floor(width / patchWidth),
    qkvBias: config.qkv_bias,
    specialTokens: modelType === 'deit' ? 2 : 1,
    teacher: architecture === 'DeiTForImageClassificationWithTeacher',
    labels: readLabels(json),
  };
}

/** The class that config.json names, and its model_type; timm names the network alone. */
export function architectureOf(json: unknown): { architecture: string; modelType: string } {
  const parsed = z
    .object({
      architectures: z.array(z.string()).nullish(),
      architecture: z.string().nullish(),
      model_type: z.string().nullish(),
    })
    .safeParse(json);
  const { architectures, architecture: network, model_type: modelType } = parsed.data ?? {};
  const architecture = architectures?.[0];
  if (isTimm(json)) {
    return {
      architecture: architecture ?? 'TimmWrapperForImageClassification',
      modelType: network ?? 'timm',
    };
  }
  if (architecture !== undefined && modelType) return { architecture, modelType };
  throw new ModelError('config.json names no architecture and model_type: it is of no transformers model');
}
