import { ModelError } from '../../errors.js';
import { writeAtomically } from '../../base/atomic.js';
import { type Dtype, maxHeaderBytes, prefixBytes, tensorBytes } from './header.js';

export interface NewTensor {
  name: string;
  dtype: Dtype;
  shape: number[];
  /** The elements, little-endian, made when their turn comes: the file is never held as a whole. */
  data: () => ArrayBufferView | Promise<ArrayBufferView>;
}

/** Writes a safetensors file, the tensors in the order given. Throws ModelError where data and shape differ in size. */
export async function writeSafetensors(
  path: string,
  tensors: NewTensor[],
  metadata?: Record<string, string>,
): Promise<void> {
  const header = new Map<string, unknown>(metadata ? [['__metadata__', metadata]] : []);
  let offset = 0;
  const sizes = tensors.map(({ name, dtype, shape }) => {
    const bytes = tensorBytes(dtype, shape);
    if (bytes === undefined) throw new ModelError(`Tensor "${name}" takes no whole number of bytes`);
    if (header.has(name)) throw new ModelError(`Tensor "${name}" is there twice`);
    header.set(name, { dtype, shape, data_offsets: [offset, (offset += bytes)] });
    return bytes;
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  // Readers map the file into memory, so the data begins at a multiple of 8.
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, ' ');
  json.copy(padded);
  if (padded.length > maxHeaderBytes) throw new ModelError(`${path} would have too large a header`);

  await writeAtomically(path, async (sink) => {
    const prefix = Buffer.alloc(prefixBytes);
    prefix.writeBigUInt64LE(BigInt(padded.length));
    await sink.write(prefix);
    await sink.write(padded);
    for (const [index, tensor] of tensors.entries()) {
      const data = await tensor.data();
      if (data.byteLength !== sizes[index]) {
        throw new ModelError(
          `Tensor "${tensor.name}" has ${data.byteLength} bytes; its shape needs ${sizes[index] ?? 0}`,
        );
      }
      await sink.write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  });
}
