export { ComfyUIBackend, type ComfyUIOptions } from './client.js';
