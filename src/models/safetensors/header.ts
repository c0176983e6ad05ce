import { ModelError } from '../../errors.js';

/** Bits of one element. Source: the format's own list (safetensors 0.8). */
export const dtypeBits = {
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  BOOL: 8,
  U8: 8,
  I8: 8,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  U16: 16,
  I16: 16,
  F16: 16,
  BF16: 16,
  U32: 32,
  I32: 32,
  F32: 32,
  U64: 64,
  I64: 64,
  F64: 64,
  C64: 64,
} as const;

export type Dtype = keyof typeof dtypeBits;

export interface TensorInfo {
  dtype: Dtype;
  shape: number[];
  /** Bytes from the file's start. */
  offset: number;
  /** Bytes. */
  length: number;
}

export interface Header {
  tensors: Map<string, TensorInfo>;
  metadata: Map<string, string>;
}

/** The format's own bound on a header. */
export const maxHeaderBytes = 100_000_000;

/** The 8 bytes before the header hold its length. */
export const prefixBytes = 8;

/** Bytes of a tensor, or undefined where they are no whole number or cannot be counted exactly. */
export function tensorBytes(dtype: Dtype, shape: number[]): number | undefined {
  let bits: number = dtypeBits[dtype];
  for (const size of shape) {
    bits *= size;
    if (!Number.isSafeInteger(bits)) return undefined;
  }
  return bits % 8 === 0 ? bits / 8 : undefined;
}

/**
 * Reads a safetensors header and checks all that the format demands: known types, sizes that agree,
 * data that lies inside the file without holes or overlaps, no name twice.
 * `file` only names the file in messages. Throws ModelError.
 */
export function parseHeader(json: Uint8Array, fileBytes: number, file: string): Header {
  const fail = (what: string): never => {
    throw new ModelError(`${file} is no valid safetensors file: ${what}`);
  };
  let text: string;
  let parsed: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
    parsed = JSON.parse(text);
  } catch {
    return fail('its header is no JSON');
  }
  if (!text.startsWith('{') || !isRecord(parsed)) return fail('its header is no JSON object');
  if (countKeys(text) !== countOwnKeys(parsed)) return fail('its header has a name twice');

  const metadata = new Map<string, string>();
  const tensors = new Map<string, TensorInfo>();
  const dataStart = prefixBytes + json.length;
  for (const [name, value] of Object.entries(parsed)) {
    if (!isRecord(value)) return fail(`"${shorten(name)}" is no object`);
    if (name === '__metadata__') {
      for (const [key, entry] of Object.entries(value)) {
        if (typeof entry !== 'string') return fail(`metadata "${shorten(key)}" is no string`);
        metadata.set(key, entry);
      }
      continue;
    }
    tensors.set(
      name,
      readEntry(value, dataStart, (what) => fail(`tensor "${shorten(name)}": ${what}`)),
    );
  }

  let end = dataStart;
  for (const [name, tensor] of [...tensors].sort(
    (a, b) => a[1].offset - b[1].offset || a[1].length - b[1].length,
  )) {
    if (tensor.offset !== end) {
      return fail(
        `tensor "${shorten(name)}" ${tensor.offset < end ? 'overlaps another' : 'leaves a hole before it'}`,
      );
    }
    end += tensor.length;
  }
  if (end !== fileBytes) {
    return fail(
      end > fileBytes
        ? `it is cut off: ${end} bytes are promised, ${fileBytes} are there. Download it again`
        : `${fileBytes - end} bytes at its end belong to no tensor`,
    );
  }
  return { tensors, metadata };
}

function readEntry(
  entry: Record<string, unknown>,
  dataStart: number,
  fail: (what: string) => never,
): TensorInfo {
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(dtypeBits, dtype)) return fail('unknown dtype');
  if (!isSizes(shape)) return fail('its shape is no list of sizes');
  if (!isSizes(offsets) || offsets.length !== 2) return fail('data_offsets are no two numbers');
  const [begin, end] = offsets as [number, number];
  if (end < begin) return fail('its data ends before it begins');
  if (tensorBytes(dtype as Dtype, shape) !== end - begin)
    return fail('its shape and its data differ in size');
  return { dtype: dtype as Dtype, shape, offset: dataStart + begin, length: end - begin };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** Names of a hostile header may be megabytes long. */
function shorten(name: string): string {
  return name.length > 80 ? `${name.slice(0, 80)}...` : name;
}

/** How many keys the text of valid JSON writes down: JSON.parse silently keeps only the last of a duplicate. */
function countKeys(json: string): number {
  let keys = 0;
  for (let i = json.indexOf('"'); i !== -1; i = json.indexOf('"', i + 1)) {
    for (i++; json[i] !== '"'; i++) if (json[i] === '\\') i++;
    let next = i + 1;
    while (' \t\r\n'.includes(json[next] ?? '.')) next++;
    if (json[next] === ':') keys++;
  }
  return keys;
}

/** How many keys are left after parsing. Depth is bounded by what JSON.parse itself can take. */
function countOwnKeys(parsed: unknown): number {
  let keys = 0;
  const rest: unknown[] = [parsed];
  for (let value = rest.pop(); value !== undefined; value = rest.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    const inner: unknown[] = Object.values(value);
    if (!Array.isArray(value)) keys += inner.length;
    for (const item of inner) if (typeof item === 'object' && item !== null) rest.push(item);
  }
  return keys;
}
