export type { BackendConfig } from './backends.js';
export { expandShots } from './expand.js';
export {
  filenameFields,
  otherNames,
  renderFilename,
  type FilenameField,
  type FilenameValues,
} from './filename.js';
export { compilePipeline, loadPipeline, type Pipeline } from './pipeline.js';
