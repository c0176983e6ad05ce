export { ComfyUIBackend, type ComfyUIOptions } from './client.js';
export { readWorkflowFile } from './file.js';
export { readRepair } from './repair.js';
