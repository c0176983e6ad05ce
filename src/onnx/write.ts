import { create, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProto_DataLocation,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from 'onnx-buf';

import { ModelError } from '../errors.js';
import { type Sink, writeAtomically } from '../base/atomic.js';
import {
  type Attribute,
  elementCodes,
  type Graph,
  microsoft,
  type Node,
  type Port,
  type Weight,
} from './graph.js';

/** Opset 20 is the first with Gelu; IR 10 goes with opset 21. */
const opset = 21n;
const irVersion = 10n;

/** Runtimes refuse protobuf files of 2 GiB; the rest of the graph takes the difference. */
const mostInlineBytes = 2_000_000_000;

/** Smaller weights stay in the model's file: a runtime reads shapes and axes before it opens the data. */
const minExternalBytes = 1024;

/** Runtimes map external weights into memory, which works from page boundaries on. */
const pageBytes = 4096;

/** Field numbers of the ONNX messages that are written around the weights, all of wire type 2 (bytes with a length). */
const fieldNumbers = { modelGraph: 7, graphInitializer: 5, tensorRawData: 9 };

export interface WriteOptions {
  /** Weights that are larger in sum go to `<file>_data`. Lowered by tests. */
  maxInlineBytes?: number;
}

/**
 * Writes an ONNX file, one group of weights after another: no more than one group is held in memory.
 * Weights of more than 2 GB go to a second file, `<path>_data`, which the first one names.
 */
export async function writeOnnx(path: string, graph: Graph, options: WriteOptions = {}): Promise<void> {
  const inline = totalBytes(graph) <= (options.maxInlineBytes ?? mostInlineBytes);
  if (inline) {
    await writeAtomically(path, (sink) => writeModel(sink, graph, (weight) => rawDataHead(weight), true));
    return;
  }
  const dataPath = `${path}_data`;
  const location = dataPath.slice(Math.max(dataPath.lastIndexOf('/'), dataPath.lastIndexOf('\\')) + 1);
  const places = await writeExternalData(dataPath, graph);
  await writeAtomically(path, (sink) =>
    writeModel(
      sink,
      graph,
      (weight) => {
        const offset = places.get(weight);
        return offset === undefined ? rawDataHead(weight) : externalHead(weight, location, offset);
      },
      false,
    ),
  );
}

async function writeModel(
  sink: Sink,
  graph: Graph,
  headOf: (weight: Weight) => Uint8Array,
  inline: boolean,
): Promise<void> {
  const isHere = (weight: Weight) => inline || !isExternal(weight);
  const lengthOf = (weight: Weight) => headOf(weight).length + (isHere(weight) ? weightBytes(weight) : 0);

  const body = graphWithoutWeights(graph);
  let graphLength = body.length;
  for (const { weights } of graph.groups) {
    for (const weight of weights) {
      const length = lengthOf(weight);
      graphLength += fieldHead(fieldNumbers.graphInitializer, length).length + length;
    }
  }
  await sink.write(modelWithoutGraph(graph));
  await sink.write(fieldHead(fieldNumbers.modelGraph, graphLength));
  await sink.write(body);
  for (const group of graph.groups) {
    const data = group.weights.some(isHere) ? await loadGroup(group) : [];
    for (const [index, weight] of group.weights.entries()) {
      await sink.write(fieldHead(fieldNumbers.graphInitializer, lengthOf(weight)));
      await sink.write(headOf(weight));
      const bytes = data[index];
      if (bytes && isHere(weight)) await sink.write(bytes);
    }
  }
}

/** Writes all large weights and says where each begins. */
async function writeExternalData(path: string, graph: Graph): Promise<Map<Weight, number>> {
  const places = new Map<Weight, number>();
  await writeAtomically(path, async (sink) => {
    for (const group of graph.groups) {
      if (!group.weights.some(isExternal)) continue;
      const data = await loadGroup(group);
      for (const [index, weight] of group.weights.entries()) {
        const bytes = data[index];
        if (!bytes || !isExternal(weight)) continue;
        await sink.write(new Uint8Array((pageBytes - (sink.length % pageBytes)) % pageBytes));
        places.set(weight, sink.length);
        await sink.write(bytes);
      }
    }
  });
  return places;
}

async function loadGroup(group: {
  weights: Weight[];
  load: () => Promise<ArrayBufferView[]>;
}): Promise<Uint8Array[]> {
  const data = await group.load();
  return group.weights.map((weight, index) => {
    const view = data[index];
    if (view?.byteLength !== weightBytes(weight)) {
      throw new ModelError(
        `Weight "${weight.name}" has ${view?.byteLength ?? 0} bytes instead of ${weightBytes(weight)}`,
      );
    }
    return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  });
}

function totalBytes(graph: Graph): number {
  return graph.groups.flatMap((group) => group.weights).reduce((sum, weight) => sum + weightBytes(weight), 0);
}

function weightBytes(weight: Weight): number {
  return weight.dims.reduce((product, size) => product * size, elementCodes[weight.element].bytes);
}

const isExternal = (weight: Weight): boolean => weightBytes(weight) >= minExternalBytes;

/** The tag and length that stand before `length` bytes of a protobuf field. */
function fieldHead(field: number, length: number): Uint8Array {
  const bytes = [(field << 3) | 2];
  let rest = length;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}

/** A TensorProto up to where its raw data must follow. */
function rawDataHead(weight: Weight): Uint8Array {
  return Buffer.concat([
    toBinary(TensorProtoSchema, create(TensorProtoSchema, tensorFields(weight))),
    fieldHead(fieldNumbers.tensorRawData, weightBytes(weight)),
  ]);
}

function externalHead(weight: Weight, location: string, offset: number): Uint8Array {
  const externalData = Object.entries({ location, offset, length: weightBytes(weight) }).map(
    ([key, value]) => ({
      key,
      value: String(value),
    }),
  );
  return toBinary(
    TensorProtoSchema,
    create(TensorProtoSchema, {
      ...tensorFields(weight),
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData,
    }),
  );
}

function tensorFields(weight: Weight) {
  return { name: weight.name, dims: weight.dims.map(BigInt), dataType: elementCodes[weight.element].code };
}

function modelWithoutGraph(graph: Graph): Uint8Array {
  const opsetImport = [{ domain: '', version: opset }];
  if (graph.nodes.some((node) => node.domain === microsoft))
    opsetImport.push({ domain: microsoft, version: 1n });
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, { irVersion: irVersion, producerName: 'reroll', opsetImport }),
  );
}

function graphWithoutWeights(graph: Graph): Uint8Array {
  return toBinary(
    GraphProtoSchema,
    create(GraphProtoSchema, {
      name: 'model',
      node: graph.nodes.map(nodeProto),
      input: graph.inputs.map(portProto),
      output: graph.outputs.map(portProto),
    }),
  );
}

function nodeProto(node: Node) {
  return create(NodeProtoSchema, {
    // Every value has one maker, so its name serves for the node as well.
    name: node.outputs[0] ?? '',
    opType: node.op,
    domain: node.domain,
    input: node.inputs,
    output: node.outputs,
    attribute: Object.entries(node.attributes).map(([name, value]) => attributeProto(name, value)),
  });
}

function attributeProto(name: string, value: Attribute) {
  if (typeof value === 'number')
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
  if (typeof value === 'string') {
    return create(AttributeProtoSchema, {
      name,
      type: AttributeType.STRING,
      s: new TextEncoder().encode(value),
    });
  }
  if (Array.isArray(value)) {
    return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) });
  }
  return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.real });
}

function portProto(port: Port) {
  return create(ValueInfoProtoSchema, {
    name: port.name,
    type: {
      value: {
        case: 'tensorType',
        value: {
          elemType: elementCodes[port.element].code,
          shape: {
            dim: port.dims.map((size) => ({
              value:
                typeof size === 'string'
                  ? { case: 'dimParam' as const, value: size }
                  : { case: 'dimValue' as const, value: BigInt(size) },
            })),
          },
        },
      },
    },
  });
}
