import { z } from 'zod';
import { ModelError } from '../errors.js';
import { families, familyOf, type Family, type SizeWords, type Way } from './families.js';
import { filterOf, type Filter } from './resample.js';
import type { Size, Target } from './sizes.js';
import { parseTimm } from './timm.js';

/** What is done to a picture before a model sees it. */
export interface Preprocessing {
  /** Left out: it stays as large as it is. */
  resize?: { to: Target; filter: Filter };
  /** Cut out of the middle; where the picture is smaller, `fill` (0 to 255) stands around it. */
  crop?: Size & {
    fill: readonly number[];
    /** A middle between two pixels: transformers takes the upper or left one, timm the even one. */
    middle: 'down' | 'even';
  };
  /** The model's input for each of its channels: value of the picture's channel `from` (0 to 255) * scale + shift. */
  channels: readonly { from: number; scale: number; shift: number }[];
  /** Zeros to the right and below, up to this size, after all else. */
  pad?: Size;
  /** What is not known to be as in Python, in words. */
  notes: string[];
}

const size = z.union([
  z.int().positive(),
  z.tuple([z.int().positive(), z.int().positive()]).transform(([height, width]) => ({ height, width })),
  z.object(
    Object.fromEntries(
      ['height', 'width', 'shortest_edge', 'longest_edge', 'max_height', 'max_width'].map((key) => [
        key,
        z.int().positive().optional(),
      ]),
    ),
  ) as z.ZodType<SizeWords>,
]);
const perChannel = z.union([
  z.number().transform((value) => [value, value, value]),
  z.array(z.number()).length(3),
]);

const schema = z.object({
  image_processor_type: z.string().optional(),
  feature_extractor_type: z.string().optional(),
  do_resize: z.boolean().default(true),
  size: size.optional(),
  default_to_square: z.boolean().optional(),
  max_size: z.int().positive().optional(),
  resample: z.union([z.int(), z.string()]).optional(),
  crop_pct: z.number().positive().optional(),
  do_center_crop: z.boolean().optional(),
  crop_size: size.optional(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z.number().default(1 / 255),
  rescale_offset: z.boolean().default(false),
  do_normalize: z.boolean().default(true),
  image_mean: perChannel.optional(),
  image_std: perChannel.optional(),
  include_top: z.boolean().default(true),
  do_flip_channel_order: z.boolean().optional(),
  do_pad: z.boolean().default(false),
  pad_size: size.optional(),
});
type Words = z.output<typeof schema>;

const modelSchema = z.object({
  model_type: z.string().optional(),
  image_size: z.union([z.int().positive(), z.array(z.int().positive()).length(2)]).optional(),
});

/**
 * What a model's preprocessor_config.json asks for, as the image processors of transformers 5.24 do it with Pillow;
 * or, for a model of timm, its config.json. Throws ModelError for words that cannot be meant.
 */
export function parsePreprocessing(json: unknown, modelConfig: unknown): Preprocessing {
  const timm = parseTimm(json, modelConfig);
  if (timm) return timm;
  const words = parse(schema, json, 'preprocessor_config.json');
  const model = parse(modelSchema, modelConfig, 'config.json');
  const processor = words.image_processor_type ?? words.feature_extractor_type;
  const notes: string[] = [];
  const known = familyOf(processor, model.model_type);
  if (!known) {
    notes.push(
      `reroll does not know ${processor ?? `the image processor of a ${model.model_type ?? 'model without model_type'}`}: ` +
        "pictures are prepared by the words of preprocessor_config.json as a ViT's would be, which may differ from Python.",
    );
  }
  const family = known ?? families.ViT;
  const own = [model.image_size ?? []].flat();
  const asked = { words, family, own: sides(own[0], own.at(-1)), notes };
  return {
    ...ways[family.way](asked, sizeWords(asked)),
    channels: channelsOf(words, family),
    ...(words.do_pad && words.pad_size !== undefined && { pad: exactly(words.pad_size, 'pad_size') }),
    notes,
  };
}

/** `null` counts as left out, at every depth: Python saves what nobody has set. */
function parse<T>(shape: z.ZodType<T>, json: unknown, file: string): T {
  const parsed = shape.safeParse(withoutNulls(json));
  if (parsed.success) return parsed.data;
  throw new ModelError(`${file} cannot be used: ${z.prettifyError(parsed.error)}`);
}

function withoutNulls(json: unknown): unknown {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return json;
  return Object.fromEntries(
    Object.entries(json).flatMap(([key, value]) => (value === null ? [] : [[key, withoutNulls(value)]])),
  );
}

interface Asked {
  words: Words;
  family: Family;
  /** The input that config.json says the model takes. */
  own: Size | undefined;
  notes: string[];
}

const sides = (height: number | undefined, width = height): Size | undefined =>
  height === undefined || width === undefined ? undefined : { width, height };

/** `size` with the family's meaning of a single number, and its own where there is none. */
function sizeWords({ words, family, own, notes }: Asked): SizeWords {
  if (typeof words.size === 'object') return words.size;
  if (words.size !== undefined) {
    if (words.default_to_square ?? family.squares) return { height: words.size, width: words.size };
    return {
      shortest_edge: words.size,
      ...(words.max_size !== undefined && { longest_edge: words.max_size }),
    };
  }
  const { height, width } = family.size;
  // What is cut out afterwards decides the size of the input.
  if (family.crops || height === undefined || width === undefined) return family.size;
  return modelsOwn('size', { width, height }, own, notes);
}

/** A size that nobody named: the family's. Where the model cannot take that, the model's, and a word about it. */
function modelsOwn(key: string, familys: Size, own: Size | undefined, notes: string[]): Size {
  if (!own || (own.width === familys.width && own.height === familys.height)) return familys;
  notes.push(
    `preprocessor_config.json names no \`${key}\`: it is taken to be ${own.width} x ${own.height}, as config.json says.`,
  );
  return own;
}

type Geometry = Pick<Preprocessing, 'resize' | 'crop'>;

/** How a family's processor resizes and crops. */
const ways: Record<Way, (asked: Asked, size: SizeWords) => Geometry> = {
  plain: (asked, size) => ({ ...resizing(asked, target(size)), ...cropping(asked, size) }),
  // Below 384 the shorter side is made a little too long, and the middle is cut out; from there on it is warped.
  convnext: (asked, size) => {
    const { words, family } = asked;
    const edge = size.shortest_edge;
    if (edge === undefined) throw unusable('size', 'this family wants shortest_edge');
    if (words.do_center_crop) throw unusable('do_center_crop', 'reroll does not know it of this family');
    if (!words.do_resize) return {};
    if (edge >= 384) return resizing(asked, { kind: 'exact', width: edge, height: edge });
    const before = Math.trunc(edge / (words.crop_pct ?? family.cropPct ?? 1));
    return { ...resizing(asked, shortestEdge(before)), crop: middle({ width: edge, height: edge }) };
  },
  levit: (asked, size) => {
    const edge = size.shortest_edge;
    const before = edge === undefined ? target(size) : shortestEdge(Math.trunc((256 / 224) * edge));
    return { ...resizing(asked, before), ...cropping(asked, size) };
  },
  // A square stands for the shorter edge, too.
  poolformer: (asked, size) => {
    const share = asked.words.crop_pct ?? asked.family.cropPct ?? 1;
    const larger = (side: number) => Math.trunc(side / share);
    const to = target(size);
    const edge = to.kind === 'exact' && to.width === to.height ? to.width : size.shortest_edge;
    const before: Target =
      edge !== undefined
        ? shortestEdge(larger(edge))
        : to.kind === 'exact'
          ? { kind: 'exact', width: larger(to.width), height: larger(to.height) }
          : to;
    return { ...resizing(asked, before), ...cropping(asked, size) };
  },
};

const shortestEdge = (edge: number): Target => ({ kind: 'shortest', edge });

const resizing = ({ words, family }: Asked, to: Target): Geometry =>
  words.do_resize
    ? { resize: { to, filter: words.resample === undefined ? family.filter : filterOf(words.resample) } }
    : {};

function target(size: SizeWords): Target {
  const { height, width, shortest_edge: edge, longest_edge: longest } = size;
  if (edge !== undefined) {
    return { kind: 'shortest', edge, ...(longest !== undefined && { longest }) };
  }
  if (size.max_height !== undefined && size.max_width !== undefined) {
    return { kind: 'inside', width: size.max_width, height: size.max_height, round: false };
  }
  if (height !== undefined && width !== undefined) return { kind: 'exact', width, height };
  throw unusable('size', 'it needs height and width, shortest_edge, or max_height and max_width');
}

function cropping({ words, family, own, notes }: Asked, size: SizeWords): Geometry {
  if (!(words.do_center_crop ?? family.crops)) return {};
  if (words.crop_size !== undefined) return { crop: middle(exactly(words.crop_size, 'crop_size')) };
  if (family.crop === undefined) return { crop: middle(exactly(size, 'crop_size')) };
  return { crop: middle(modelsOwn('crop_size', exactly(family.crop, 'crop_size'), own, notes)) };
}

const middle = (size: Size): NonNullable<Geometry['crop']> => ({ ...size, fill: [0, 0, 0], middle: 'down' });

function exactly(words: number | SizeWords, key: string): Size {
  if (typeof words === 'number') return { width: words, height: words };
  const { height, width } = words;
  if (height === undefined || width === undefined) throw unusable(key, 'it needs height and width');
  return { width, height };
}

const unusable = (key: string, why: string) =>
  new ModelError(`preprocessor_config.json cannot be used: \`${key}\`: ${why}.`);

function channelsOf(words: Words, family: Family): Preprocessing['channels'] {
  const flips = words.do_flip_channel_order ?? family.flips;
  const normalises = words.do_normalize && family.normalises !== false;
  const { image_mean: mean = family.mean, image_std: std = family.std } = words;
  const top = family.includesTop && words.include_top;
  return [0, 1, 2].map((channel) => {
    const [average = 0, deviation = 1] = normalises ? [mean[channel], std[channel]] : [];
    const divisor = deviation * (top ? (std[channel] ?? 1) : 1);
    const scale = words.do_rescale ? words.rescale_factor : 1;
    const offset = words.do_rescale && words.rescale_offset && family.includesTop ? -1 : 0;
    return {
      from: flips && family.flips ? 2 - channel : channel,
      scale: scale / divisor,
      shift: (offset - average) / divisor,
    };
  });
}
