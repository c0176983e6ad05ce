import type { Variant } from '../base/dtypes.js';
import { activations, Graph, Layers, type Linear, type Parameter, type Value } from '../onnx/index.js';
import type { VitConfig } from './vit-config.js';
import type { VitWeights } from './vit-weights.js';

/**
 * The graph of a ViT image classifier: `pixel_values` [batch, channels, height, width] to `logits`
 * [batch, labels] and `cls_embedding` [batch, hidden], the normed class token that training begins from.
 *
 * Formulas: ViTForImageClassification, DeiTForImageClassification(WithTeacher) and ViTMSNForImageClassification
 * of Hugging Face transformers, which share one layout. Every shape is checked here, before anything is written.
 */
export function vitGraph(config: VitConfig, weights: VitWeights, variant: Variant): Graph {
  const graph = new Graph();
  const layers = new Layers(graph, variant);
  const { hidden, channels } = config;

  const pixels = graph.input('pixel_values', 'float', ['batch_size', channels, ...config.imageSize]);
  let tokens = embed(layers, config, weights, pixels);
  for (let index = 0; index < config.layers; index++) {
    tokens = block(layers, config, weights, tokens, index);
  }
  const normed = layers.layerNorm(tokens, ...weights.norm('layernorm', hidden), config.epsilon);
  const token = (index: number) => graph.node('Gather', [normed, graph.integer(index)], { axis: 1 });
  const classToken = token(0);
  const count = config.labels.length;
  const head = (name: string) => weights.linear(name, count, hidden, true);
  let logits: Value;
  if (config.teacher) {
    // DeiT's two heads, one on each special token, vote with equal weight.
    const votes = [
      layers.floatLinear(classToken, head('cls_classifier')),
      layers.floatLinear(token(1), head('distillation_classifier')),
    ];
    logits = graph.node('Mul', [graph.node('Add', votes), graph.real(0.5)]);
  } else {
    logits = layers.floatLinear(classToken, head('classifier'));
  }
  graph.output('logits', logits, 'float', ['batch_size', count]);
  graph.output('cls_embedding', classToken, 'float', ['batch_size', hidden]);
  return graph;
}

/** [batch, tokens, hidden]: the special tokens, then one for each patch, plus their places. */
function embed(layers: Layers, config: VitConfig, weights: VitWeights, pixels: Value): Value {
  const { graph } = layers;
  const { hidden, channels, patchSize, patches, specialTokens } = config;
  const projection = 'embeddings.patch_embeddings.projection';
  const kernel = weights.get(`${projection}.weight`, [hidden, channels, ...patchSize]);
  const bias = weights.get(`${projection}.bias`, [hidden]);
  const grid = graph.node('Conv', [pixels, layers.parameter(kernel), layers.parameter(bias)], {
    kernel_shape: [...patchSize],
    strides: [...patchSize],
  });
  const flat = graph.node('Reshape', [grid, graph.integers(0, hidden, -1)]);
  const patchTokens = graph.node('Transpose', [flat], { perm: [0, 2, 1] });

  const batch = graph.node('Shape', [pixels], { start: 0, end: 1 });
  const shape = graph.node('Concat', [batch, graph.integers(1, hidden)], { axis: 0 });
  const special = ['cls_token', 'distillation_token'].slice(0, specialTokens).map((name) => {
    const token = layers.parameter(weights.get(`embeddings.${name}`, [1, 1, hidden]));
    return graph.node('Expand', [token, shape]);
  });
  const places = weights.get('embeddings.position_embeddings', [1, specialTokens + patches, hidden]);
  return graph.node('Add', [
    graph.node('Concat', [...special, patchTokens], { axis: 1 }),
    layers.parameter(places),
  ]);
}

/** One encoder layer. The last one gives the special tokens alone: nothing reads the others any more. */
function block(layers: Layers, config: VitConfig, weights: VitWeights, tokens: Value, index: number): Value {
  const { graph } = layers;
  const { hidden, heads, headSize, intermediate, epsilon } = config;
  const wide = heads * headSize;
  const at = (name: string) => `layers.${index}.${name}`;
  const project = (name: string) =>
    weights.linear(at(`attention.${name}_proj`), wide, hidden, config.qkvBias);
  const projections = (...names: string[]) =>
    stacked(at(`attention.${names.join('')}_proj`), names.map(project));
  const last = index === config.layers - 1;
  const specialOnly = (x: Value) =>
    graph.node('Slice', [x, graph.integers(0), graph.integers(config.specialTokens), graph.integers(1)]);

  const normed = layers.layerNorm(tokens, ...weights.norm(at('layernorm_before'), hidden), epsilon);
  // One product for query, key and value together is faster than three.
  const [query, key, value] = (
    last
      ? [
          layers.linear(specialOnly(normed), project('q')),
          ...graph.split(layers.linear(normed, projections('k', 'v')), 2, 2),
        ]
      : graph.split(layers.linear(normed, projections('q', 'k', 'v')), 2, 3)
  ) as [Value, Value, Value];
  const mixed = layers.attention(query, key, value, heads, headSize);
  const attended = layers.linear(mixed, weights.linear(at('attention.o_proj'), hidden, wide, true));
  const sum = graph.node('Add', [last ? specialOnly(tokens) : tokens, attended]);

  const normedSum = layers.layerNorm(sum, ...weights.norm(at('layernorm_after'), hidden), epsilon);
  const widened = layers.linear(normedSum, weights.linear(at('mlp.fc1'), intermediate, hidden, true));
  const activation = activations.get(config.activation);
  if (!activation) throw new Error(`unchecked activation ${config.activation}`);
  const narrowed = weights.linear(at('mlp.fc2'), hidden, intermediate, true);
  return graph.node('Add', [sum, layers.linear(activation(graph, widened), narrowed)]);
}

/** Layers over the same input as one layer whose outputs lie side by side. */
function stacked(name: string, parts: Linear[]): Linear {
  const stack = (suffix: string, parameters: Parameter[]): Parameter => {
    const [first] = parameters as [Parameter];
    const rows = parameters.reduce((sum, part) => sum + (part.dims[0] ?? 0), 0);
    return {
      name: `${name}.${suffix}`,
      dims: [rows, ...first.dims.slice(1)],
      load: async () => {
        const data = await Promise.all(parameters.map((part) => part.load()));
        const all = new Float32Array(data.reduce((sum, part) => sum + part.length, 0));
        let offset = 0;
        for (const part of data) {
          all.set(part, offset);
          offset += part.length;
        }
        return all;
      },
    };
  };
  const biases = parts.flatMap((part) => part.bias ?? []);
  return {
    weight: stack(
      'weight',
      parts.map((part) => part.weight),
    ),
    bias: biases.length > 0 ? stack('bias', biases) : undefined,
  };
}
