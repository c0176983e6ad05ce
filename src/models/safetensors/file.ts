import { type FileHandle, open } from 'node:fs/promises';

import { ModelError, StorageError, systemCode } from '../../errors.js';
import { bfloatToFloat, eighthToFloat, halfToFloat } from '../../base/floats.js';
import { type Dtype, maxHeaderBytes, prefixBytes, parseHeader, type TensorInfo } from './header.js';

/** Node refuses single reads of 2 GiB and more. */
const readBytes = 2 ** 30;

/** Named tensors on disk, each read when asked for. Every failure is a ModelError. */
export interface Tensors {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
  /** The tensor's bytes as they are in the file, little-endian. */
  read(name: string): Promise<Uint8Array>;
  /** The tensor's elements as 32-bit floats, in the file's order. */
  readFloats(name: string): Promise<Float32Array>;
  close(): Promise<void>;
}

/**
 * Opens one safetensors file. Only its header is held in memory; tensors are read one by one.
 * Throws ModelError where the file breaks the format, StorageError where it cannot be read.
 */
export async function openSafetensors(path: string): Promise<Tensors> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw new StorageError(`Cannot read ${path} (${systemCode(error) ?? String(error)})`, { cause: error });
  });
  try {
    const { size } = await handle.stat();
    if (size < prefixBytes)
      throw new ModelError(`${path} is no valid safetensors file: it has ${size} bytes`);
    const prefix = await readExactly(handle, 0, prefixBytes, path);
    const length = new DataView(prefix.buffer).getBigUint64(0, true);
    if (length > BigInt(maxHeaderBytes) || length > BigInt(size - prefixBytes)) {
      throw new ModelError(
        `${path} is no valid safetensors file: it promises a header of ${length.toString()} bytes in a file of ${size}`,
      );
    }
    const header = parseHeader(await readExactly(handle, prefixBytes, Number(length), path), size, path);
    return new SafetensorsFile(path, handle, header.tensors, header.metadata);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

class SafetensorsFile implements Tensors {
  readonly #path: string;
  readonly #handle: FileHandle;

  constructor(
    path: string,
    handle: FileHandle,
    readonly tensors: ReadonlyMap<string, TensorInfo>,
    readonly metadata: ReadonlyMap<string, string>,
  ) {
    this.#path = path;
    this.#handle = handle;
  }

  async read(name: string): Promise<Uint8Array> {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new ModelError(`${this.#path} has no tensor "${name}"`);
    return readExactly(this.#handle, tensor.offset, tensor.length, this.#path);
  }

  async readFloats(name: string): Promise<Float32Array> {
    const bytes = await this.read(name);
    const { dtype } = this.tensors.get(name) as TensorInfo;
    const floats = toFloats(bytes, dtype);
    if (!floats)
      throw new ModelError(`${this.#path}: tensor "${name}" of type ${dtype} cannot be read as numbers`);
    return floats;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** The bytes lie in a buffer of their own, so typed arrays of any element size can view them. */
async function readExactly(
  handle: FileHandle,
  position: number,
  length: number,
  path: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, readBytes), position + done);
    if (bytesRead === 0) throw new ModelError(`${path} is cut off: it became shorter while it was read`);
    done += bytesRead;
  }
  return bytes;
}

/** Undefined for the types of which a number takes no whole byte or has no one value. */
function toFloats(bytes: Uint8Array, dtype: Dtype): Float32Array | undefined {
  const { buffer } = bytes;
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer);
    case 'F16':
      return halfToFloat(new Uint16Array(buffer));
    case 'BF16':
      return bfloatToFloat(new Uint16Array(buffer));
    case 'F64':
      return Float32Array.from(new Float64Array(buffer));
    case 'F8_E4M3':
    case 'F8_E5M2':
      return eighthToFloat(bytes, dtype);
    case 'BOOL':
    case 'U8':
      return Float32Array.from(bytes);
    case 'I8':
      return Float32Array.from(new Int8Array(buffer));
    case 'U16':
      return Float32Array.from(new Uint16Array(buffer));
    case 'I16':
      return Float32Array.from(new Int16Array(buffer));
    case 'U32':
      return Float32Array.from(new Uint32Array(buffer));
    case 'I32':
      return Float32Array.from(new Int32Array(buffer));
    case 'U64':
      return Float32Array.from(new BigUint64Array(buffer), Number);
    case 'I64':
      return Float32Array.from(new BigInt64Array(buffer), Number);
    case 'F4':
    case 'F6_E2M3':
    case 'F6_E3M2':
    case 'F8_E8M0':
    case 'F8_E4M3FNUZ':
    case 'F8_E5M2FNUZ':
    case 'C64':
      return undefined;
  }
}
