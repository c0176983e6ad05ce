import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import * as onnx from 'onnx-buf';

export const anatomyLabels = [
  'Realistic_Bad_Anatomy',
  'Realistic_Good_Anatomy',
  'Unrealistic_Bad_Anatomy',
  'Unrealistic_Good_Anatomy',
];

export interface TinyModel {
  labels?: string[];
  /** Width and height of its input, pixels. */
  size?: number;
  /** `weights[channel][label]`: logits are the picture's mean red, green and blue, normalised to -1 to 1, times these. */
  weights?: number[][];
  /** Its logits are powers of e: of a picture on which the exponent goes over 88 they are no numbers. */
  overflows?: boolean;
  config?: object;
  preprocessor?: object;
}

/**
 * Writes a model folder in the Hugging Face layout whose network judges by average colour, so that a test
 * can say what a picture's verdict must be: with the default weights a red picture is label 0, a green one
 * label 1, a blue one label 2, a black one label 3. Like a real export it has a second output beside the logits.
 */
export async function writeTinyModel(folder: string, options: TinyModel = {}): Promise<void> {
  const { labels = anatomyLabels, size = 32 } = options;
  const weights =
    options.weights ?? [0, 1, 2].map((channel) => labels.map((_, label) => (label === channel ? 4 : -4)));
  await mkdir(join(folder, 'onnx'), { recursive: true });
  await writeFile(join(folder, 'onnx', 'model.onnx'), tinyOnnx(weights, options.overflows));
  const config = {
    model_type: 'vit',
    architectures: ['ViTForImageClassification'],
    image_size: size,
    id2label: Object.fromEntries(labels.map((label, index) => [index, label])),
    problem_type: 'single_label_classification',
    ...options.config,
  };
  const preprocessor = {
    image_processor_type: 'ViTImageProcessor',
    do_resize: true,
    size: { height: size, width: size },
    resample: 2,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
    ...options.preprocessor,
  };
  await writeFile(join(folder, 'config.json'), JSON.stringify(config, undefined, 2));
  await writeFile(join(folder, 'preprocessor_config.json'), JSON.stringify(preprocessor, undefined, 2));
}

const float32 = onnx.TensorProto_DataType.FLOAT;
const int64 = onnx.TensorProto_DataType.INT64;

function tinyOnnx(weights: number[][], overflows = false): Uint8Array {
  const labels = weights[0]?.length ?? 0;
  const value = (name: string, dims: (number | string)[]) => ({
    name,
    type: {
      value: {
        case: 'tensorType' as const,
        value: {
          elemType: float32,
          shape: {
            dim: dims.map((dim) => ({
              value:
                typeof dim === 'string'
                  ? { case: 'dimParam' as const, value: dim }
                  : { case: 'dimValue' as const, value: BigInt(dim) },
            })),
          },
        },
      },
    },
  });
  const node = (opType: string, input: string[], output: string) => ({
    opType,
    name: output,
    input,
    output: [output],
  });
  const bytes = (array: Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>) =>
    new Uint8Array(array.buffer);
  return toBinary(
    onnx.ModelProtoSchema,
    create(onnx.ModelProtoSchema, {
      irVersion: 10n,
      opsetImport: [{ domain: '', version: 21n }],
      graph: {
        name: 'mean colour',
        node: [
          node('GlobalAveragePool', ['pixel_values'], 'mean'),
          node('Reshape', ['mean', 'shape'], 'cls_embedding'),
          ...(overflows
            ? [
                node('MatMul', ['cls_embedding', 'weights'], 'exponents'),
                node('Exp', ['exponents'], 'logits'),
              ]
            : [node('MatMul', ['cls_embedding', 'weights'], 'logits')]),
        ],
        initializer: [
          { name: 'shape', dims: [2n], dataType: int64, rawData: bytes(BigInt64Array.of(0n, 3n)) },
          {
            name: 'weights',
            dims: [3n, BigInt(labels)],
            dataType: float32,
            rawData: bytes(Float32Array.from(weights.flat())),
          },
        ],
        input: [value('pixel_values', ['batch', 3, 'height', 'width'])],
        output: [value('cls_embedding', ['batch', 3]), value('logits', ['batch', labels])],
      },
    }),
  );
}
