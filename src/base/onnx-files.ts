import { dirname, join, posix } from 'node:path';
import { ModelError } from '../errors.js';
import { dtypes, type Dtype } from './dtypes.js';
import { externalData } from './external-data.js';
import { fileBytes } from './files.js';

/** Where a variant's ONNX file may lie below a model's folder: in `onnx/`, or in the root as optimum exports it. */
export const onnxPlaces = (dtype: Dtype): [string, string] => {
  const name = `model${dtypes[dtype]}.onnx`;
  return [`onnx/${name}`, name];
};

/** Path below the folder of a variant's ONNX file; undefined where there is none. */
export async function findOnnx(folder: string, dtype: Dtype): Promise<string | undefined> {
  for (const place of onnxPlaces(dtype)) if (await isFile(join(folder, place))) return place;
  return undefined;
}

/**
 * An ONNX file and the files with its weights, by path below the folder. Throws ModelError where one is missing:
 * onnxruntime would name it, but not say what to do.
 */
export async function onnxParts(folder: string, file: string): Promise<string[]> {
  const beside = (location: string) => posix.join(dirname(file), location);
  const parts = [file, ...(await externalData(join(folder, file))).map(beside)];
  for (const part of parts) {
    if (await isFile(join(folder, part))) continue;
    throw new ModelError(
      `${join(folder, part)} is missing: ${file} keeps its weights there. Copy it as well, or pull the model again.`,
    );
  }
  return parts;
}

const isFile = async (path: string): Promise<boolean> => (await fileBytes(path)) !== undefined;
