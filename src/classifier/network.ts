import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import type * as Library from '@huggingface/transformers';
import type { Tensor } from '@huggingface/transformers';
import type { InferenceSession } from 'onnxruntime-node';
import type { Dtype } from '../base/dtypes.js';
import { floatToHalf, halfToFloat } from '../base/floats.js';
import { ModelError, toError } from '../errors.js';
import type { Device } from '../base/devices.js';

/** A model's input: [1, 3, height, width]. */
export interface Pixels {
  values: Float32Array;
  width: number;
  height: number;
}

/** The network in an ONNX file, loaded. */
export interface Network {
  /** The logits of one picture, one for each label. */
  run(pixels: Pixels): Promise<ArrayLike<number>>;
  close(): Promise<void>;
}

export interface NetworkOptions {
  /** Default cpu. */
  device?: Device;
  /** CPU threads of one inference. Default: onnxruntime's choice, one per core. */
  threads?: number;
}

/** Which ONNX file of a model folder. */
export interface NetworkFile {
  folder: string;
  /** Path of the ONNX file below the folder: in `onnx/`, or in the root. */
  file: string;
  dtype: Dtype;
}

type Transformers = typeof Library;
let transformers: Promise<Transformers> | undefined;

/** A third of a second to import, so only where a model is opened. Its settings are global: made once, here. */
function loadTransformers(): Promise<Transformers> {
  // Nothing leaves the machine that the pipeline does not name. onnxruntime would report its use to Microsoft, and leave
  // files of that in the temporary folder; it asks this when it is loaded.
  process.env['ORT_DISABLE_TELEMETRY'] = '1';
  transformers ??= import('@huggingface/transformers').then((library) => {
    // Models come from local folders.
    library.env.allowRemoteModels = false;
    library.env.remoteHost = 'file://';
    library.env.remotePathTemplate = '{model}';
    // Names every file by its path. Without it the file is read whole, and dropped, beside onnxruntime's own reading.
    library.env.useCustomCache = true;
    library.env.customCache = {
      match: (name: string) => Promise.resolve(resolve('/', name.replace('file://', ''))),
      put: () => Promise.resolve(),
    };
    // What it would print, it also throws; stderr belongs to the live display.
    library.env.logLevel = library.LogLevel.NONE;
    return library;
  });
  return transformers;
}

/** Loads a model with transformers.js, and the files with its weights beside it. Throws ModelError. */
export async function openNetwork(
  { folder, file, dtype }: NetworkFile,
  { device = 'cpu', threads }: NetworkOptions,
): Promise<Network> {
  const { PretrainedConfig, PreTrainedModel, Tensor } = await loadTransformers();
  const path = join(folder, file);
  let model: Library.PreTrainedModel;
  try {
    // Its class for any encoder: those for single architectures add nothing to it, and there is none for timm's,
    // CLIP's, LeViT's and others. What config.json says to transformers.js (other files, types, devices) is not asked:
    // pipeline and command line say it.
    model = await PreTrainedModel.from_pretrained(folder, {
      config: new PretrainedConfig({ model_type: 'custom' }),
      subfolder: dirname(file),
      dtype,
      device,
      local_files_only: true,
      session_options: {
        logSeverityLevel: 4,
        // Threads that wait by spinning take the cores that decode the next picture, or serve somebody else.
        extra: { session: { intra_op: { allow_spinning: '0' } } },
        ...(threads !== undefined && { intraOpNumThreads: threads }),
      },
    });
  } catch (error) {
    const advice = device === 'cuda' ? cudaAdvice() : '';
    throw new ModelError(
      `the model ${path} (on ${device}) does not load: ${toError(error).message}${advice}`,
      {
        cause: error,
      },
    );
  }
  const session = model.sessions.model as InferenceSession;
  const [input] = session.inputMetadata;
  const output = session.outputNames.includes('logits') ? 'logits' : session.outputNames[0];
  const isClassifier =
    session.inputNames.length === 1 && (output === 'logits' || session.outputNames.length === 1);
  if (!input?.isTensor || output === undefined || !isClassifier) {
    await model.dispose();
    throw new ModelError(
      `the model ${path} is no image classifier: it takes ${session.inputNames.join(', ')} and gives ` +
        `${session.outputNames.join(', ')}; reroll gives pixel_values and wants logits.`,
    );
  }
  return {
    async run({ values, width, height }) {
      const shape = [1, 3, height, width];
      const pixels =
        input.type === 'float16'
          ? new Tensor('float16', floatToHalf(values), shape)
          : new Tensor('float32', values, shape);
      // Not the model's own call: that looks for `logits` alone.
      const answer = ((await model.forward({ [input.name]: pixels })) as Record<string, Tensor>)[output];
      return answer ? floatsOf(answer) : [];
    },
    async close() {
      await model.dispose();
    },
  };
}

/** The CUDA libraries (300 MB) are in no package: onnxruntime's own script fetches them, which no install of reroll runs. */
function cudaAdvice(): string {
  const script = join(createRequire(import.meta.url).resolve('onnxruntime-node'), '../../script/install.js');
  return `\nIts CUDA libraries are fetched by: node ${script} --onnxruntime-node-install=cuda12`;
}

function floatsOf({ type, data }: Tensor): ArrayLike<number> {
  if (type !== 'float16') return data as Float32Array;
  // The newest Node has a type of its own for halves.
  const { buffer, byteOffset, length } = data as Uint16Array;
  return halfToFloat(new Uint16Array(buffer, byteOffset, length));
}
