export { checkpointFiles, openCheckpoint, readIndex, shardIndex, singleFile } from './checkpoint.js';
export { openSafetensors, type Tensors } from './file.js';
export type { Dtype, TensorInfo } from './header.js';
export { type NewTensor, writeSafetensors } from './write.js';
