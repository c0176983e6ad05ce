export { ComfyUIBackend, type ComfyUIOptions } from './client.js';
export { readRepair } from './repair.js';
