import type * as Library from '@huggingface/transformers';
import type { Tensor } from '@huggingface/transformers';
import { ModelError, toError } from '../errors.js';
import type { ModelFolder } from './folder.js';
import { inputSize, normalise, parsePreprocessing, type Preprocessing } from './normalise.js';
import { readResized, readRgb } from './pixels.js';
import type { Rgb } from './resample.js';

type Transformers = typeof Library;

export interface Preprocessor {
  /** Decodes and resizes; what it returns fills the model's input, and is called while the model is free. */
  prepare: (image: Buffer | string) => Promise<() => Tensor>;
  /** Inputs of the right shape to try a model with: of an empty picture, and of noise. */
  samples: Tensor[];
}

/** The preprocessing that a model's preprocessor_config.json asks for. Throws ModelError. */
export async function openPreprocessor(library: Transformers, folder: ModelFolder): Promise<Preprocessor> {
  const preprocessing = parsePreprocessing(folder.preprocessing);
  return preprocessing ? plainProcessor(library, preprocessing) : foreignProcessor(library, folder);
}

/** Our own: decodes straight to the model's size, and normalises into one buffer that is used again and again. */
function plainProcessor({ Tensor }: Transformers, preprocessing: Preprocessing): Preprocessor {
  const { width, height } = inputSize(preprocessing);
  const values = new Float32Array(3 * width * height);
  const tensor = new Tensor('float32', values, [1, 3, height, width]);
  const { resize } = preprocessing;
  const noise = Float32Array.from(values, () => Math.random() * 4 - 2);
  return {
    samples: [tensor, new Tensor('float32', noise, tensor.dims)],
    prepare: async (image) => {
      const picture = await readResized(image, resize.width, resize.height, resize.filter);
      return () => {
        normalise(picture, preprocessing, values);
        return tensor;
      };
    },
  };
}

/** transformers.js's processor, for models that want something else than a plain resize. */
async function foreignProcessor(library: Transformers, { folder }: ModelFolder): Promise<Preprocessor> {
  const processor = await library.AutoImageProcessor.from_pretrained(folder, {
    local_files_only: true,
  }).catch((error: unknown) => {
    throw new ModelError(`preprocessor_config.json in ${folder} cannot be used: ${toError(error).message}`, {
      cause: error,
    });
  });
  const tensorOf = async (picture: Rgb): Promise<Tensor> => {
    const image = new library.RawImage(new Uint8ClampedArray(picture.data), picture.width, picture.height, 3);
    const { pixel_values } = (await processor(image)) as { pixel_values: Tensor };
    return pixel_values;
  };
  const sample = (data: Uint8Array) => tensorOf({ data, width: 64, height: 64 });
  const black = new Uint8Array(64 * 64 * 3);
  return {
    samples: [await sample(black), await sample(black.map(() => Math.random() * 256))],
    prepare: async (image) => {
      const tensor = await tensorOf(await readRgb(image));
      return () => tensor;
    },
  };
}
