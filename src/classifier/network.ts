import type { InferenceSession, Tensor } from 'onnxruntime-node';
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

/** Loads an ONNX file, and the files with its weights beside it. Throws ModelError. */
export async function openNetwork(
  file: string,
  { device = 'cpu', threads }: NetworkOptions,
): Promise<Network> {
  // A quarter of a second to import, so only where a model is opened.
  const ort = await import('onnxruntime-node');
  let session: InferenceSession;
  try {
    const known = ort.listSupportedBackends().map(({ name }) => name);
    if (!known.includes(device)) {
      throw new Error(`Unsupported device: onnxruntime has ${known.join(', ')} on this machine.`);
    }
    session = await ort.InferenceSession.create(file, {
      executionProviders: [device],
      // What it would print, it also throws; stderr belongs to the live display.
      logSeverityLevel: 4,
      // Threads that wait by spinning take the cores that decode the next picture, or serve somebody else.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
      ...(threads !== undefined && { intraOpNumThreads: threads }),
    });
  } catch (error) {
    throw new ModelError(`the model ${file} (on ${device}) does not load: ${toError(error).message}`, {
      cause: error,
    });
  }
  const [input] = session.inputMetadata;
  const output = session.outputNames.includes('logits') ? 'logits' : session.outputNames[0];
  const isClassifier =
    session.inputNames.length === 1 && (output === 'logits' || session.outputNames.length === 1);
  if (!input?.isTensor || output === undefined || !isClassifier) {
    await session.release();
    throw new ModelError(
      `the model ${file} is no image classifier: it takes ${session.inputNames.join(', ')} and gives ` +
        `${session.outputNames.join(', ')}; reroll gives pixel_values and wants logits.`,
    );
  }
  return {
    async run({ values, width, height }) {
      const shape = [1, 3, height, width];
      const pixels =
        input.type === 'float16'
          ? new ort.Tensor('float16', floatToHalf(values), shape)
          : new ort.Tensor('float32', values, shape);
      const answer = (await session.run({ [input.name]: pixels }, [output]))[output];
      return answer ? floatsOf(answer) : [];
    },
    close: () => session.release(),
  };
}

function floatsOf({ type, data }: Tensor): ArrayLike<number> {
  if (type !== 'float16') return data as Float32Array;
  // The newest Node has a type of its own for halves.
  const { buffer, byteOffset, length } = data as Uint16Array;
  return halfToFloat(new Uint16Array(buffer, byteOffset, length));
}
