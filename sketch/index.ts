import { draw } from './drawing/index.js';
import { openServer } from './server.js';
import type { SketchOptions, SketchServer } from './types.js';

/**
 * The sketch server: a Stable Diffusion server's real protocol over drawn hands. It is no diffusion model, and says
 * so on every surface; it imports nothing of the rest of reroll, since it stands for somebody else's server.
 */
export {
  draw,
  sketchTruth,
  type Defect,
  type Drawing,
  type DrawRequest,
  type Truth,
} from './drawing/index.js';
export { faultsOf } from './faults.js';
export { readTruth, type SketchChunk } from './png.js';
export {
  allFaults,
  type Fault,
  type Flavour,
  type Protocol,
  type SketchEvents,
  type SketchOptions,
  type SketchServer,
  type SketchStats,
} from './types.js';

/** Starts a sketch server. Resolves when it listens; rejects when the port is taken. */
export function startSketchServer(options: Partial<SketchOptions> = {}): Promise<SketchServer> {
  return openServer(options, draw);
}
