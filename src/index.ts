/** The library: what a program needs that makes runs without the command line. */
export {
  BackendError,
  ConfigError,
  ImageError,
  LockedError,
  ModelError,
  QueueError,
  RerollError,
  StorageError,
} from './errors.js';
export { loadPipeline, type Pipeline } from './pipeline/index.js';
export {
  LocalService,
  openState,
  RunHere,
  withState,
  type EmitRunEvent,
  type HereOptions,
  type Role,
  type RunEvent,
  type RunSummary,
  type State,
} from './runtime/index.js';
export type * from './runtime/service.js';
