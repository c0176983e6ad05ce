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
  for (let i = 0; i < floats.length; i++) half[i] = roundToHalf(bits[i] as number);
  return half;
}

function roundToHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  const mantissa = bits & 0x7fffff;
  if (exponent === 143) return sign | (mantissa ? 0x7e00 : 0x7c00);
  if (exponent >= 31) return sign | 0x7c00;
  if (exponent < -10) return sign;
  // Subnormal halves keep the hidden bit in the mantissa and shift it further right.
  const [value, shift] =
    exponent > 0 ? [(exponent << 23) | mantissa, 13] : [mantissa | 0x800000, 14 - exponent];
  const kept = value >>> shift;
  const rest = value & (2 ** shift - 1);
  const tie = 2 ** (shift - 1);
  // A carry out of the mantissa rightly moves into the exponent.
  return sign | (kept + (rest > tie || (rest === tie && kept & 1) ? 1 : 0));
}
