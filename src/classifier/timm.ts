import { z } from 'zod';
import { isTimm } from '../base/model-json.js';
import { ModelError } from '../errors.js';
import type { Preprocessing } from './preprocessing.js';
import { filterOf } from './resample.js';
import type { Target } from './sizes.js';

const side = z.int().positive();
/** What timm's `resolve_data_config` reads. The defaults are its own. */
const schema = z.object({
  input_size: z.tuple([z.literal(3), side, side]).default([3, 224, 224]),
  interpolation: z.string().default('bicubic'),
  crop_pct: z.number().positive().default(0.875),
  crop_mode: z.enum(['center', 'squash', 'border']).default('center'),
  mean: z.array(z.number()).length(3).default([0.485, 0.456, 0.406]),
  std: z.array(z.number()).length(3).default([0.229, 0.224, 0.225]),
});

/** What timm's `transforms_imagenet_eval` does to a picture; undefined where the model is none of timm's. */
export function parseTimm(json: unknown, modelConfig: unknown): Preprocessing | undefined {
  const preprocessor = asObject(json);
  const type = preprocessor?.image_processor_type;
  if (!isTimm(modelConfig) && !(typeof type === 'string' && type.startsWith('TimmWrapper'))) return undefined;
  const config = asObject(modelConfig);
  const words = preprocessor?.data_config ?? preprocessor?.pretrained_cfg ?? config?.pretrained_cfg ?? {};
  const present = Object.entries(words).filter(([, value]) => value !== null);
  const parsed = schema.safeParse(Object.fromEntries(present));
  if (!parsed.success) {
    throw new ModelError(`config.json of this timm model cannot be used: ${z.prettifyError(parsed.error)}`);
  }
  const { input_size, interpolation, crop_pct, crop_mode, mean, std } = parsed.data;
  const [, height, width] = input_size;
  const larger = { height: Math.floor(height / crop_pct), width: Math.floor(width / crop_pct) };
  const targets: Record<typeof crop_mode, Target> = {
    center:
      larger.height === larger.width
        ? { kind: 'shortest', edge: larger.height }
        : { kind: 'covering', ...larger },
    squash: { kind: 'exact', ...larger },
    border: { kind: 'inside', ...larger, round: true },
  };
  const fill = crop_mode === 'border' ? mean.map((value) => Math.round(255 * value)) : [0, 0, 0];
  return {
    resize: { to: targets[crop_mode], filter: filterOf(interpolation) },
    crop: { height, width, fill, middle: 'even' },
    channels: mean.map((value, from) => {
      const deviation = std[from] ?? 1;
      return { from, scale: 1 / 255 / deviation, shift: -value / deviation };
    }),
    notes: [],
  };
}

const asObject = (json: unknown): Record<string, unknown> | undefined =>
  typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : undefined;
