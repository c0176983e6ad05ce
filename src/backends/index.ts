import { A1111Backend, type A1111Options } from './a1111/index.js';
import { ComfyUIBackend, type ComfyUIOptions } from './comfyui/index.js';
import type { BackendKind, Of } from '../loop/index.js';
import type { Backend } from './port.js';

export {
  backoffMs,
  watchHealth,
  type BackendHealthState,
  type Health,
  type HealthOptions,
} from './health.js';
export { describeLacks } from './lacks.js';
export { describeSent } from './settings.js';
export { canRepair, checkRepair } from './repairs.js';
export { near } from './near.js';
export { stem } from './stem.js';
export type { A1111Options } from './a1111/index.js';
export { readWorkflowFile } from './comfyui/index.js';
export type { ComfyUIOptions } from './comfyui/index.js';
export type * from './port.js';

export type BackendOptions = A1111Options | ComfyUIOptions;

const makers: { [Kind in BackendKind]: (options: Of<BackendOptions, Kind>) => Backend } = {
  a1111: (options) => new A1111Backend(options),
  comfyui: (options) => new ComfyUIBackend(options),
};

export function createBackend(options: BackendOptions): Backend {
  return (makers[options.kind] as (options: BackendOptions) => Backend)(options);
}
