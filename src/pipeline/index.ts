export { traitsOf, type BackendConfig } from './backends.js';
export { putIntoRepair, putIntoRequest, type Environment } from './environment.js';
export { differences } from './differences.js';
export { expandShots, type ExpandOptions } from './expand.js';
export {
  filenameFields,
  otherNames,
  renderFilename,
  slugOf,
  type FilenameField,
  type FilenameValues,
} from './filename.js';
export { hider, type Hider } from './hiding.js';
export {
  changeRecorded,
  compilePipeline,
  loadPipeline,
  readLiterals,
  readRaw,
  type Pipeline,
} from './pipeline.js';
