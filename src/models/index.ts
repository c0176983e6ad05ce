export { type Env, isHubName, modelHome, rerollCache } from './cache.js';
export { type ConvertOptions, convertModel, type ModelFolder } from './convert.js';
export type { ModelEvent } from './events.js';
export { type ModelInfo, modelInfo } from './info.js';
export { type Manifest, readManifest, type Verification } from '../base/model-manifest.js';
export { type Attribute, type Element, Graph, type Value, writeOnnx } from '../onnx/index.js';
export { pullModel, type PullOptions } from './pull.js';
export { refuseDisagreeing, resolveModel, type ResolveOptions } from './resolve.js';
export {
  type NewTensor,
  openCheckpoint,
  openSafetensors,
  type Tensors,
  writeSafetensors,
} from './safetensors/index.js';
export { type Bounds, defaultBounds, verifyModel, type VerifyOptions } from './verify.js';
