import type { Scores } from '../base/scores.js';
import type { Dtype } from '../base/dtypes.js';
import { ModelError, toError } from '../errors.js';
import { readModelFolder, type ModelFolder } from './folder.js';
import { openNetwork, type Network, type NetworkOptions } from './network.js';
import type { Classifier } from './port.js';
import { parsePreprocessing } from './preprocessing.js';
import { Preprocessor } from './preprocessor.js';
import { labelScores, type Scored } from './scores.js';

export interface ClassifierOptions extends NetworkOptions {
  /** Absolute path of a folder in the Hugging Face layout: config.json, preprocessor_config.json, onnx/. */
  model: string;
  /** Which ONNX file. Default fp32. */
  dtype?: Dtype;
}

/**
 * Opens a model from local files alone, and runs it so that the first verdict is as fast as the rest.
 * Throws ModelError.
 */
export async function openClassifier({
  model,
  dtype = 'fp32',
  ...options
}: ClassifierOptions): Promise<Classifier> {
  const folder = await readModelFolder(model, dtype);
  const preprocessing = parsePreprocessing(folder.preprocessor, folder.config);
  const preprocessor = new Preprocessor(preprocessing);
  const network = await openNetwork(folder.onnx, options);
  try {
    await checkModel(network, folder, preprocessor);
    return new LocalClassifier(folder, preprocessing.notes, network, preprocessor);
  } catch (error) {
    await network.close();
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

  readonly #network: Network;
  readonly #preprocessor: Preprocessor;

  constructor(
    folder: ModelFolder,
    readonly notes: readonly string[],
    network: Network,
    preprocessor: Preprocessor,
  ) {
    this.#network = network;
    this.#preprocessor = preprocessor;
    this.model = folder.identity;
    this.labels = folder.labels;
    this.#scored = scoredOf(folder);
  }

  async classify(image: Buffer | string, signal?: AbortSignal): Promise<Scores> {
    signal?.throwIfAborted();
    // Decoding runs beside the inference of the picture before.
    const fill = await this.#preprocessor.prepare(image);
    const logits = this.#free.then(() => {
      signal?.throwIfAborted();
      if (this.#closed)
        throw new Error('classify() after close(): the caller must wait for its verdicts first.');
      return run(this.#network, this.model.name, fill());
    });
    this.#free = logits.catch(() => undefined);
    return labelScores(this.#scored, await logits);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#free;
    await this.#network.close();
  }
}

/**
 * Warms the model up, and finds out what no file says: whether it takes pictures and gives a number for each label.
 */
async function checkModel(network: Network, folder: ModelFolder, preprocessor: Preprocessor): Promise<void> {
  for (const sample of preprocessor.samples()) {
    labelScores(scoredOf(folder), await run(network, folder.folder, sample));
  }
}

function run(
  network: Network,
  model: string,
  pixels: Parameters<Network['run']>[0],
): Promise<ArrayLike<number>> {
  return network.run(pixels).catch((error: unknown) => {
    throw new ModelError(`the model ${model} does not run: ${toError(error).message}`, { cause: error });
  });
}

const scoredOf = ({ identity, labels, independent }: ModelFolder): Scored => ({
  model: identity.name,
  labels,
  independent,
});
