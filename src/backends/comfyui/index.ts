export { ComfyUIBackend, type ComfyUIOptions } from './client.js';
export { describeBindings } from './bindings.js';
export { readWorkflow, type Workflow, type WorkflowFile } from './workflow.js';
