import { roundHalfEven } from '../base/floats.js';

/** A matrix as int8, one scale for each column: value = int8 * scale[column]. */
export interface Quantized {
  /** [rows, columns] */
  values: Int8Array;
  /** [columns] */
  scales: Float32Array;
}

/**
 * Turns a layer's weight [outputs, inputs] into int8 [inputs, outputs], symmetric about zero, each output
 * with the scale that its largest weight needs to become `largestInteger`.
 */
export function quantizeTransposed(
  weight: Float32Array,
  outputs: number,
  inputs: number,
  largestInteger: number,
): Quantized {
  const values = new Int8Array(weight.length);
  const scales = new Float32Array(outputs);
  for (let output = 0; output < outputs; output++) {
    const row = weight.subarray(output * inputs, (output + 1) * inputs);
    let largest = 0;
    for (const value of row) largest = Math.max(largest, Math.abs(value));
    // A row of zeros needs some scale; any will do.
    const scale = Math.fround(largest / largestInteger) || 1;
    scales[output] = scale;
    for (let input = 0; input < inputs; input++) {
      values[input * outputs + output] = roundHalfEven((row[input] as number) / scale);
    }
  }
  return { values, scales };
}

/** A layer's weight [outputs, inputs] as [inputs, outputs], which MatMul takes. */
export function transpose(weight: Float32Array, outputs: number, inputs: number): Float32Array {
  const transposed = new Float32Array(weight.length);
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      transposed[input * outputs + output] = weight[output * inputs + input] as number;
    }
  }
  return transposed;
}
