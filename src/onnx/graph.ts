/** Builds an ONNX graph: named values, nodes between them, and weights that are loaded only when the file is written. */

/** ONNX's TensorProto.DataType numbers, and the bytes of one element. */
export const elementCodes = {
  float: { code: 1, bytes: 4 },
  uint8: { code: 2, bytes: 1 },
  int8: { code: 3, bytes: 1 },
  int64: { code: 7, bytes: 8 },
  int32: { code: 6, bytes: 4 },
  float16: { code: 10, bytes: 2 },
} as const;

export type Element = keyof typeof elementCodes;

/** The name of a value inside the graph. */
export type Value = string;

export interface Weight {
  name: Value;
  element: Element;
  dims: number[];
}

/** Weights that come from one source (a quantised matrix and its scales), so that the source is read once. */
export interface WeightGroup {
  weights: Weight[];
  /** The elements of each weight, in the order of `weights`. */
  load: () => Promise<ArrayBufferView[]>;
}

/** A whole number, a list of them, a text, or a real number. */
export type Attribute = number | number[] | string | { real: number };

export interface Node {
  op: string;
  domain: string;
  inputs: Value[];
  outputs: Value[];
  attributes: Record<string, Attribute>;
}

/** A graph's input or output. A dimension given by name may have any size. */
export interface Port {
  name: Value;
  element: Element;
  dims: (number | string)[];
}

export const microsoft = 'com.microsoft';

export class Graph {
  readonly nodes: Node[] = [];
  readonly inputs: Port[] = [];
  readonly outputs: Port[] = [];
  readonly groups: WeightGroup[] = [];
  readonly #constants = new Map<string, Value>();
  #values = 0;

  input(name: Value, element: Element, dims: (number | string)[]): Value {
    this.inputs.push({ name, element, dims });
    return name;
  }

  /** Gives `value` out under `name`. */
  output(name: string, value: Value, element: Element, dims: (number | string)[]): void {
    this.nodes.push({ op: 'Identity', domain: '', inputs: [value], outputs: [name], attributes: {} });
    this.outputs.push({ name, element, dims });
  }

  /** Adds a node with one output and returns that. An input '' is one left out. */
  node(op: string, inputs: Value[], attributes: Record<string, Attribute> = {}, domain = ''): Value {
    const output = this.#fresh(op);
    this.nodes.push({ op, domain, inputs, outputs: [output], attributes });
    return output;
  }

  /** Cuts `value` along `axis` into parts of equal size. */
  split(value: Value, axis: number, parts: number): Value[] {
    return this.several('Split', parts, [value], { axis, num_outputs: parts });
  }

  /** Adds a node with several outputs. */
  several(op: string, count: number, inputs: Value[], attributes: Record<string, Attribute> = {}): Value[] {
    const outputs = Array.from({ length: count }, () => this.#fresh(op));
    this.nodes.push({ op, domain: '', inputs, outputs, attributes });
    return outputs;
  }

  /** Adds weights that `load` gives all at once. */
  weights(weights: Weight[], load: () => Promise<ArrayBufferView[]>): Value[] {
    this.groups.push({ weights, load });
    return weights.map((weight) => weight.name);
  }

  weight(name: Value, element: Element, dims: number[], load: () => Promise<ArrayBufferView>): Value {
    this.weights([{ name, element, dims }], async () => [await load()]);
    return name;
  }

  /** A constant list of whole numbers: shapes, axes, positions. */
  integers(...values: number[]): Value {
    return this.#constant('int64', [values.length], BigInt64Array.from(values, BigInt));
  }

  /** A constant whole number. */
  integer(value: number): Value {
    return this.#constant('int64', [], BigInt64Array.of(BigInt(value)));
  }

  /** A constant real number. */
  real(value: number): Value {
    return this.#constant('float', [], Float32Array.of(value));
  }

  /** A constant unsigned byte. */
  byte(value: number): Value {
    return this.#constant('uint8', [], Uint8Array.of(value));
  }

  #constant(element: Element, dims: number[], data: Float32Array | BigInt64Array | Uint8Array): Value {
    const key = `${element}[${dims.join()}]=${data.join()}`;
    const known = this.#constants.get(key);
    if (known) return known;
    const name = this.weight(this.#fresh('constant'), element, dims, async () => data);
    this.#constants.set(key, name);
    return name;
  }

  #fresh(stem: string): Value {
    return `${stem}_${this.#values++}`;
  }
}
