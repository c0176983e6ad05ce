import type * as Library from '@huggingface/transformers';
import type { PreTrainedModel, Tensor } from '@huggingface/transformers';
import type { Scores } from '../base/scores.js';
import { ModelError, toError } from '../errors.js';
import type { Dtype } from '../base/dtypes.js';
import { readModelFolder, type ModelFolder } from './folder.js';
import type { Classifier } from './port.js';
import { openPreprocessor, type Preprocessor } from './preprocessor.js';
import { labelScores, type Scored } from './scores.js';

export interface ClassifierOptions {
  /** Absolute path of a folder in the Hugging Face layout: config.json, preprocessor_config.json, onnx/. */
  model: string;
  /** Which ONNX file. Default fp32. */
  dtype?: Dtype;
  /** Passed through to onnxruntime. Default cpu. */
  device?: 'cpu' | 'cuda' | 'webgpu' | 'dml' | 'coreml';
  /** CPU threads of one inference. Default: onnxruntime's choice, one per core. */
  threads?: number;
}

type Transformers = typeof Library;

/**
 * Opens a model with transformers.js, from local files alone, and runs it once so that the first verdict
 * is as fast as the rest. Throws ModelError.
 */
export async function openClassifier(options: ClassifierOptions): Promise<Classifier> {
  const folder = await readModelFolder(options.model, options.dtype ?? 'fp32');
  const transformers = await loadTransformers();
  const model = await loadModel(transformers, folder, options);
  try {
    const preprocessor = await openPreprocessor(transformers, folder);
    await checkModel(model, folder, preprocessor);
    return new LocalClassifier(folder, model, preprocessor);
  } catch (error) {
    await model.dispose();
    throw error;
  }
}

class LocalClassifier implements Classifier {
  readonly model;
  readonly labels;
  readonly #scored: Scored;
  /** Resolves when the model is free: two inferences at a time only fight over the same cores. */
  #free: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(
    folder: ModelFolder,
    private readonly network: PreTrainedModel,
    private readonly preprocessor: Preprocessor,
  ) {
    this.model = folder.identity;
    this.labels = folder.labels;
    this.#scored = scoredOf(folder);
  }

  async classify(image: Buffer | string, signal?: AbortSignal): Promise<Scores> {
    signal?.throwIfAborted();
    // Decoding runs beside the inference of the picture before.
    const fill = await this.preprocessor.prepare(image);
    const logits = this.#free.then(() => {
      signal?.throwIfAborted();
      if (this.#closed)
        throw new Error('classify() after close(): the caller must wait for its verdicts first.');
      return run(this.network, fill());
    });
    this.#free = logits.catch(() => undefined);
    return labelScores(this.#scored, await logits);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#free;
    await this.network.dispose();
  }
}

let transformers: Promise<Transformers> | undefined;

/** A third of a second to import, so only where a model is opened. Its settings are global: made once, here. */
function loadTransformers(): Promise<Transformers> {
  transformers ??= import('@huggingface/transformers').then((library) => {
    // Promise: nothing leaves the machine that the pipeline does not name. Models come from local folders.
    library.env.allowRemoteModels = false;
    library.env.useFSCache = false;
    // What it would print, it also throws; stderr belongs to the live display.
    library.env.logLevel = library.LogLevel.NONE;
    return library;
  });
  return transformers;
}

async function loadModel(
  { AutoModelForImageClassification }: Transformers,
  { folder, dtype }: ModelFolder,
  { device = 'cpu', threads }: ClassifierOptions,
): Promise<PreTrainedModel> {
  try {
    return await AutoModelForImageClassification.from_pretrained(folder, {
      dtype,
      device,
      local_files_only: true,
      session_options: {
        // Threads that wait by spinning take the cores that decode the next picture, or serve somebody else.
        extra: { session: { intra_op: { allow_spinning: '0' } } },
        ...(threads !== undefined && { intraOpNumThreads: threads }),
      },
    });
  } catch (error) {
    throw new ModelError(
      `the model in ${folder} (${dtype}, on ${device}) does not load: ${toError(error).message}`,
      { cause: error },
    );
  }
}

/**
 * Warms the model up, and finds out what no file says: whether it takes pictures and gives a number for each label,
 * of an empty picture and of a busy one, which a number that overflows may tell apart.
 */
async function checkModel(
  model: PreTrainedModel,
  folder: ModelFolder,
  { samples }: Preprocessor,
): Promise<void> {
  for (const sample of samples) {
    const logits = await run(model, sample).catch((error: unknown) => {
      throw new ModelError(`the model in ${folder.folder} does not run: ${toError(error).message}`, {
        cause: error,
      });
    });
    labelScores(scoredOf(folder), logits);
  }
}

const scoredOf = ({ identity, labels, independent }: ModelFolder): Scored => ({
  model: identity.name,
  labels,
  independent,
});

async function run(model: PreTrainedModel, pixel_values: Tensor): Promise<ArrayLike<number>> {
  const { logits } = (await model({ pixel_values })) as { logits?: Tensor };
  if (!logits) throw new ModelError('it has no output named logits: it is no image classifier.');
  return logits.data as Float32Array;
}
