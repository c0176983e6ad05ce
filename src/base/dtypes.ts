/** Which of a model folder's ONNX files: the names of transformers.js, and their suffixes. */
export const dtypes = {
  fp32: '',
  fp16: '_fp16',
  q8: '_quantized',
  int8: '_int8',
  uint8: '_uint8',
  q4: '_q4',
} as const;
export type Dtype = keyof typeof dtypes;

/**
 * The ones that reroll makes of a checkpoint: how the weights are stored and multiplied.
 * - `fp32`: 32-bit floats
 * - `fp16`: stored as halves, computed as 32-bit floats
 * - `int8`: weights of 7 bits and activations of 8 as integers, in standard operators only
 * - `uint8`: the same with unsigned weights of a whole byte: finer, and slower
 * - `q8`: the same numbers in onnxruntime's fused operators, the fastest on a CPU
 */
export const variants = ['fp32', 'fp16', 'q8', 'int8', 'uint8'] as const satisfies Dtype[];
export type Variant = (typeof variants)[number];

export const defaultVariants: Variant[] = ['fp32', 'q8'];
