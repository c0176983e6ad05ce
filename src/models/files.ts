import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { ModelError, StorageError, systemCode } from '../errors.js';

export const CONFIG_FILE = 'config.json';
export const PREPROCESSOR_FILE = 'preprocessor_config.json';

/** A real config is a few kilobytes. */
const MAX_JSON_BYTES = 16 * 2 ** 20;

/** The ONNX file of each dtype, as transformers.js names them. */
export const ONNX_FILES = {
  fp32: 'onnx/model.onnx',
  q8: 'onnx/model_quantized.onnx',
  fp16: 'onnx/model_fp16.onnx',
  int8: 'onnx/model_int8.onnx',
  uint8: 'onnx/model_uint8.onnx',
  q4: 'onnx/model_q4.onnx',
} as const;

/** Reads a small JSON file of a model. Throws ModelError where it is missing or no JSON. */
export async function readModelJson(folder: string, name: string): Promise<unknown> {
  const path = join(folder, name);
  try {
    const { size } = await stat(path);
    if (size > MAX_JSON_BYTES) throw new ModelError(`${path} is too large for a config: ${size} bytes`);
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (systemCode(error) === 'ENOENT')
      throw new ModelError(`${path} is missing: ${folder} is no model's folder`);
    if (error instanceof SyntaxError) throw new ModelError(`${path} is no JSON`, { cause: error });
    throw error;
  }
}

/** Bytes of a file; undefined where there is none. */
export async function fileBytes(path: string): Promise<number | undefined> {
  return stat(path).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
}

/** SHA-256 in hex over the files, one after another. */
export async function sha256(...paths: string[]): Promise<string> {
  const hash = createHash('sha256');
  try {
    for (const path of paths) {
      for await (const part of createReadStream(path, { highWaterMark: 2 ** 20 }))
        hash.update(part as Buffer);
    }
  } catch (error) {
    throw new StorageError(`Cannot read ${paths.join(', ')} (${systemCode(error) ?? String(error)})`, {
      cause: error,
    });
  }
  return hash.digest('hex');
}
