import { z } from 'zod';
import type { Filter, Rgb } from './resample.js';

/** What a model's preprocessor_config.json asks for, where it is the plain kind that we do ourselves. */
export interface Preprocessing {
  resize: { width: number; height: number; filter: Filter };
  /** Cut out of the middle after resizing; without it, the size is that of `resize`. */
  crop?: { width: number; height: number };
  /** (value * rescale - mean) / std, for each channel. */
  rescale: number;
  mean: number[];
  std: number[];
}

const size = z.union([
  z
    .int()
    .positive()
    .transform((side) => ({ height: side, width: side })),
  z.object({ height: z.int().positive(), width: z.int().positive() }),
]);
const perChannel = z.array(z.number()).length(3);

/** Processors that take these words to mean the same; others may not. */
const kinds = /^(ViT|DeiT|Beit)(ImageProcessor(Fast|Pil)?|FeatureExtractor)$/;
const filters: Record<number, Filter> = { 1: 'lanczos', 2: 'bilinear', 3: 'bicubic' };

const schema = z.object({
  image_processor_type: z.string().optional(),
  feature_extractor_type: z.string().optional(),
  do_resize: z.literal(true).default(true),
  size,
  resample: z.int().default(2),
  do_center_crop: z.boolean().default(false),
  crop_size: size.optional(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z.number().default(1 / 255),
  do_normalize: z.boolean().default(true),
  image_mean: perChannel.default([0.5, 0.5, 0.5]),
  image_std: perChannel.default([0.5, 0.5, 0.5]),
  do_reduce_labels: z.literal(false).nullish(),
  do_pad: z.literal(false).nullish(),
});

/**
 * Reads a preprocessor_config.json. Undefined: it asks for something else (padding, the shortest edge,
 * another family's processor), and transformers.js's own processor has to do it.
 */
export function parsePreprocessing(json: unknown): Preprocessing | undefined {
  const parsed = schema.safeParse(json);
  if (!parsed.success) return undefined;
  const config = parsed.data;
  const filter = filters[config.resample];
  if (!kinds.test(config.image_processor_type ?? config.feature_extractor_type ?? '')) return undefined;
  if (filter === undefined) return undefined;
  const crop = config.do_center_crop ? (config.crop_size ?? config.size) : undefined;
  if (crop && (crop.width > config.size.width || crop.height > config.size.height)) return undefined;
  return {
    resize: { ...config.size, filter },
    ...(crop && { crop }),
    rescale: config.do_rescale ? config.rescale_factor : 1,
    mean: config.do_normalize ? config.image_mean : [0, 0, 0],
    std: config.do_normalize ? config.image_std : [1, 1, 1],
  };
}

/** Width and height of the model's input. */
export const inputSize = ({ resize, crop }: Preprocessing): { width: number; height: number } =>
  crop ?? resize;

/**
 * Writes resized pixels as the model takes them, channel by channel, into `target`
 * (3 x height x width), cropped and normalised.
 */
export function normalise(picture: Rgb, preprocessing: Preprocessing, target: Float32Array): void {
  const { width, height } = inputSize(preprocessing);
  const left = Math.floor((picture.width - width) / 2);
  const top = Math.floor((picture.height - height) / 2);
  let to = 0;
  for (let channel = 0; channel < 3; channel++) {
    const table = normalised(preprocessing, channel);
    for (let y = 0; y < height; y++) {
      let from = ((top + y) * picture.width + left) * 3 + channel;
      for (let x = 0; x < width; x++, from += 3) target[to++] = table[picture.data[from] ?? 0] ?? 0;
    }
  }
}

/** There are only 256 values. */
const normalised = ({ rescale, mean, std }: Preprocessing, channel: number): Float32Array =>
  Float32Array.from(
    { length: 256 },
    (_, value) => (value * rescale - (mean[channel] ?? 0)) / (std[channel] ?? 1),
  );
