import type { Filter } from './resample.js';

/** The keys that `size` may have in a preprocessor_config.json. Pixels. */
export type SizeWords = Partial<
  Record<'height' | 'width' | 'shortest_edge' | 'longest_edge' | 'max_height' | 'max_width', number>
>;

/** How a family's processor reads `size` and `crop_pct`. Most do `plain`. */
export type Way = 'plain' | 'convnext' | 'levit' | 'poolformer';

/** What an image processor of transformers does where its preprocessor_config.json says nothing. */
export interface Family {
  way: Way;
  size: SizeWords;
  /** One number as `size` means both sides, not the shorter one. */
  squares: boolean;
  /** The side of the square that is cut out; undefined: `size`. */
  crop?: number;
  crops: boolean;
  cropPct?: number;
  filter: Filter;
  mean: number[];
  std: number[];
  /** False: the family's processor knows no normalising, whatever its config says. */
  normalises?: false;
  /** Blue first. */
  flips?: true;
  /** EfficientNet divides by `image_std` once more. */
  includesTop?: true;
}

const standard = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const clip = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] };

const both = (side: number): SizeWords => ({ height: side, width: side });
const shorter = (edge: number): SizeWords => ({ shortest_edge: edge });
const square = { way: 'plain', squares: true, crops: false, filter: 'bicubic' } as const;
const cropped = { way: 'plain', squares: false, crops: true, filter: 'bicubic', crop: 224 } as const;

/** By the name of the processor, without `ImageProcessor` and the like. From transformers 5.24. */
export const families = {
  ViT: { ...square, ...standard, size: both(224), filter: 'bilinear' },
  DeiT: { ...square, ...standard, size: both(256), crop: 224, crops: true },
  Beit: { ...square, ...standard, size: both(224), crop: 224 },
  Pvt: { ...square, ...imagenet, size: both(224) },
  Segformer: { ...square, ...imagenet, size: both(512), filter: 'bilinear' },
  Siglip: { ...square, ...standard, size: both(224), squares: false },
  CLIP: { ...cropped, ...clip, size: shorter(224) },
  Bit: { ...cropped, ...clip, size: shorter(224) },
  ConvNext: {
    ...cropped,
    ...standard,
    way: 'convnext',
    size: shorter(384),
    crops: false,
    cropPct: 224 / 256,
  },
  MobileNetV1: { ...cropped, ...standard, size: shorter(256), filter: 'bilinear' },
  MobileNetV2: { ...cropped, ...standard, size: shorter(256), filter: 'bilinear' },
  MobileViT: { ...cropped, ...standard, size: shorter(224), crop: 256, normalises: false, flips: true },
  EfficientNet: { ...square, ...standard, size: both(346), crop: 289, includesTop: true },
  Levit: { ...cropped, ...imagenet, way: 'levit', size: shorter(224) },
  PoolFormer: { ...cropped, ...imagenet, way: 'poolformer', size: shorter(224), cropPct: 0.9 },
} satisfies Record<string, Family>;

export type FamilyName = keyof typeof families;

/** Which family's processor a `model_type` has, where the config names none. Underscores and hyphens are one. */
const models: Record<FamilyName, string[]> = {
  ViT: ['vit', 'vit_msn', 'vit_mae', 'swin', 'swinv2', 'dinat', 'swiftformer', 'ijepa'],
  DeiT: ['deit'],
  Beit: ['beit', 'data2vec_vision'],
  Pvt: ['pvt', 'pvt_v2'],
  Segformer: ['segformer'],
  Siglip: ['siglip'],
  CLIP: ['clip', 'metaclip_2'],
  Bit: ['bit', 'dinov2', 'dinov2_with_registers', 'focalnet', 'hiera'],
  ConvNext: ['convnext', 'convnextv2', 'cvt', 'resnet', 'regnet'],
  MobileNetV1: ['mobilenet_v1'],
  MobileNetV2: ['mobilenet_v2'],
  MobileViT: ['mobilevit', 'mobilevitv2'],
  EfficientNet: ['efficientnet'],
  Levit: ['levit'],
  PoolFormer: ['poolformer'],
};

/** The family that a processor's name or, without one, a model's type means. */
export function familyOf(processor: string | undefined, modelType: string | undefined): Family | undefined {
  if (processor !== undefined) {
    const stem = processor.replace(/(ImageProcessor|FeatureExtractor)(Fast|Pil)?$/, '').toLowerCase();
    const found = Object.entries(families).find(([name]) => name.toLowerCase() === stem);
    return found?.[1];
  }
  const type = modelType?.replaceAll('-', '_');
  const found = Object.entries(models).find(([, types]) => type !== undefined && types.includes(type));
  return found && families[found[0] as FamilyName];
}
