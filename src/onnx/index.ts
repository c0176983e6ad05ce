export { type Attribute, type Element, Graph, type Value } from './graph.js';
export { activations, Layers, type Linear, type Parameter } from './layers.js';
export { writeOnnx, type WriteOptions } from './write.js';
