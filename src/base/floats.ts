/** Numbers of 8 and 16 bits as 32-bit floats, and back to half precision. */

/** One value from its sign bit, exponent bits and mantissa bits (IEEE rules; no infinities handled here). */
function decode(bits: number, exponentBits: number, mantissaBits: number, bias: number): number {
  const sign = bits >> (exponentBits + mantissaBits) ? -1 : 1;
  const exponent = (bits >> mantissaBits) & (2 ** exponentBits - 1);
  const fraction = (bits & (2 ** mantissaBits - 1)) / 2 ** mantissaBits;
  return sign * (exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias));
}

function table(size: number, value: (bits: number) => number): Float32Array {
  return Float32Array.from({ length: size }, (_, bits) => value(bits));
}

/** IEEE types: an exponent of all ones is infinity or NaN. */
function ieee(bits: number, exponentBits: number, mantissaBits: number): number {
  const magnitude = bits & (2 ** (exponentBits + mantissaBits) - 1);
  const infinity = (2 ** exponentBits - 1) * 2 ** mantissaBits;
  if (magnitude > infinity) return NaN;
  if (magnitude === infinity) return bits === magnitude ? Infinity : -Infinity;
  return decode(bits, exponentBits, mantissaBits, 2 ** (exponentBits - 1) - 1);
}

let halfTable: Float32Array | undefined;

export function halfToFloat(half: Uint16Array): Float32Array {
  const values = (halfTable ??= table(65_536, (bits) => ieee(bits, 5, 10)));
  const floats = new Float32Array(half.length);
  for (let i = 0; i < half.length; i++) floats[i] = values[half[i] as number] as number;
  return floats;
}

/** bfloat16 is the upper half of a float32. */
export function bfloatToFloat(brain: Uint16Array): Float32Array {
  const floats = new Float32Array(brain.length);
  const bits = new Uint32Array(floats.buffer);
  for (let i = 0; i < brain.length; i++) bits[i] = (brain[i] as number) << 16;
  return floats;
}

/** F8_E4M3 (the `fn` form: no infinities, one NaN) and F8_E5M2 (IEEE). */
export function eighthToFloat(bytes: Uint8Array, type: 'F8_E4M3' | 'F8_E5M2'): Float32Array {
  const values = table(256, (bits) =>
    type === 'F8_E5M2' ? ieee(bits, 5, 2) : (bits & 0x7f) === 0x7f ? NaN : decode(bits, 4, 3, 7),
  );
  return Float32Array.from(bytes, (bits) => values[bits] as number);
}

/** Rounds to the nearest half, ties to even; too large becomes infinity. */
export function floatToHalf(floats: Float32Array): Uint16Array {
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  const half = new Uint16Array(floats.length);
  for (let i = 0; i < floats.length; i++) {
    const word = bits[i] as number;
    half[i] = ((word >>> 16) & 0x8000) | roundMagnitude(word & 0x7fffffff, floats[i] as number);
  }
  return half;
}

/** `magnitude`: the float's bits without its sign. */
function roundMagnitude(magnitude: number, value: number): number {
  const tooLarge = 0x47800000; // 2^16
  const smallestNormal = 0x38800000; // 2^-14
  const biasChange = 0x38000000; // (127 - 15) exponent steps
  if (magnitude >= tooLarge) return magnitude > 0x7f800000 ? 0x7e00 : 0x7c00;
  // A carry out of the mantissa rightly moves into the exponent, up to infinity.
  if (magnitude >= smallestNormal) return (magnitude - biasChange + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
  return roundHalfEven(Math.abs(value) * 2 ** 24);
}

/** As ONNX's QuantizeLinear and IEEE round. */
export function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
