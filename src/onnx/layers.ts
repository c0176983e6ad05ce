import type { Variant } from '../base/dtypes.js';
import { floatToHalf } from '../base/floats.js';
import { type Graph, microsoft, type Value } from './graph.js';
import { quantizeTransposed, transpose } from './quantize.js';

/** A parameter of the model: read when the file is written. */
export interface Parameter {
  name: string;
  dims: number[];
  load: () => Promise<Float32Array>;
}

/** y = x W^T + b. The weight is [outputs, inputs], as PyTorch keeps it. */
export interface Linear {
  weight: Parameter;
  bias: Parameter | undefined;
}

/** The activations of transformers that ViTs use, by their names there. */
export const activations = new Map<string, (graph: Graph, x: Value) => Value>([
  ['gelu', (graph, x) => graph.node('Gelu', [x])],
  ['gelu_python', (graph, x) => graph.node('Gelu', [x])],
  ['gelu_new', tanhGelu],
  ['gelu_fast', tanhGelu],
  ['gelu_pytorch_tanh', tanhGelu],
  ['quick_gelu', (graph, x) => sigmoidGelu(graph, x, 1.702)],
  ['silu', (graph, x) => sigmoidGelu(graph, x, 1)],
  ['relu', (graph, x) => graph.node('Relu', [x])],
]);

function tanhGelu(graph: Graph, x: Value): Value {
  return graph.node('Gelu', [x], { approximate: 'tanh' });
}

function sigmoidGelu(graph: Graph, x: Value, slope: number): Value {
  const steeper = slope === 1 ? x : graph.node('Mul', [x, graph.real(slope)]);
  return graph.node('Mul', [x, graph.node('Sigmoid', [steeper])]);
}

/** Writes a transformer's layers into a graph in one variant. */
export class Layers {
  constructor(
    readonly graph: Graph,
    readonly variant: Variant,
  ) {}

  /** A parameter as a 32-bit value. */
  parameter({ name, dims, load }: Parameter): Value {
    return this.#stored(name, dims, load);
  }

  layerNorm(x: Value, scale: Parameter, shift: Parameter, epsilon: number): Value {
    const inputs = [x, this.parameter(scale), this.parameter(shift)];
    return this.graph.node('LayerNormalization', inputs, { axis: -1, epsilon: { real: epsilon } });
  }

  /** A large layer: integers in the integer variants. */
  linear(x: Value, layer: Linear): Value {
    if (this.variant === 'int8' || this.variant === 'uint8') return this.#integerLinear(x, layer);
    if (this.variant === 'q8') return this.#fusedLinear(x, layer);
    return this.floatLinear(x, layer);
  }

  /** A small layer where every bit of precision counts: floats in every variant. */
  floatLinear(x: Value, { weight, bias }: Linear): Value {
    const [outputs, inputs] = weight.dims as [number, number];
    const load = async () => transpose(await weight.load(), outputs, inputs);
    return this.#plusBias(
      this.graph.node('MatMul', [x, this.#stored(weight.name, [inputs, outputs], load)]),
      bias,
    );
  }

  /** Attention of `query` over `key` and `value`, each [batch, tokens, heads * headSize]. */
  attention(query: Value, key: Value, value: Value, heads: number, headSize: number): Value {
    const { graph } = this;
    if (this.variant === 'q8') {
      return graph.node('MultiHeadAttention', [query, key, value], { num_heads: heads }, microsoft);
    }
    const byHead = (x: Value, perm: number[]) =>
      graph.node('Transpose', [graph.node('Reshape', [x, graph.integers(0, 0, heads, headSize)])], { perm });
    const scores = graph.node('MatMul', [byHead(query, [0, 2, 1, 3]), byHead(key, [0, 2, 3, 1])]);
    const shares = graph.node('Softmax', [graph.node('Mul', [scores, graph.real(headSize ** -0.5)])], {
      axis: -1,
    });
    const mixed = graph.node('MatMul', [shares, byHead(value, [0, 2, 1, 3])]);
    const tokensFirst = graph.node('Transpose', [mixed], { perm: [0, 2, 1, 3] });
    return graph.node('Reshape', [tokensFirst, graph.integers(0, 0, heads * headSize)]);
  }

  #integerLinear(x: Value, { weight, bias }: Linear): Value {
    const { graph } = this;
    const [quantized, scale, zeroPoint] = graph.several('DynamicQuantizeLinear', 3, [x]) as [
      Value,
      Value,
      Value,
    ];
    const [values, scales] = this.#quantized(weight);
    // Signed weights have their zero at 0, which is what the operator assumes.
    const zero = this.variant === 'uint8' ? [graph.byte(128)] : [];
    const product = graph.node('MatMulInteger', [quantized, values, zeroPoint, ...zero]);
    const real = graph.node('Cast', [product], { to: 1 });
    return this.#plusBias(graph.node('Mul', [real, graph.node('Mul', [scale, scales])]), bias);
  }

  #fusedLinear(x: Value, { weight, bias }: Linear): Value {
    const [values, scales] = this.#quantized(weight);
    const inputs = [x, values, scales, '', ...(bias ? [this.parameter(bias)] : [])];
    return this.graph.node('DynamicQuantizeMatMul', inputs, {}, microsoft);
  }

  #quantized(weight: Parameter): [Value, Value] {
    const [outputs, inputs] = weight.dims as [number, number];
    const element = this.variant === 'uint8' ? 'uint8' : 'int8';
    return this.graph.weights(
      [
        { name: `${weight.name}.${element}`, element, dims: [inputs, outputs] },
        { name: `${weight.name}.scale`, element: 'float', dims: [outputs] },
      ],
      async () => {
        // x86 processors without VNNI add two products of an unsigned and a signed byte in 16 bits: from 65 on those
        // may overflow, and the model decides something else there.
        const largest = element === 'int8' ? 63 : 127;
        const { values, scales } = quantizeTransposed(await weight.load(), outputs, inputs, largest);
        return [element === 'int8' ? values : Uint8Array.from(values, (value) => value + 128), scales];
      },
    ) as [Value, Value];
  }

  #plusBias(x: Value, bias: Parameter | undefined): Value {
    return bias ? this.graph.node('Add', [x, this.parameter(bias)]) : x;
  }

  #stored(name: string, dims: number[], load: () => Promise<Float32Array>): Value {
    if (this.variant !== 'fp16') return this.graph.weight(name, 'float', dims, load);
    const half = this.graph.weight(name, 'float16', dims, async () => floatToHalf(await load()));
    return this.graph.node('Cast', [half], { to: 1 });
  }
}
