export { type Attribute, type Element, Graph, type Value } from './graph.js';
export { ACTIVATIONS, type Linear, type Parameter, type Variant } from './layers.js';
export { vitGraph } from './vit.js';
export { writeOnnx, type WriteOptions } from './write.js';
