import type { Drawing, DrawRequest } from './drawing/index.js';
import { luck } from './luck.js';
import { sizeOf } from './pictures.js';
import type { SketchChunk } from './png.js';
import type { Artist } from './types.js';

/** How often repainting a bad hand makes it right. */
const repairRate = 0.7;

/** A drawing and what it was drawn from. */
export interface Drawn {
  drawing: Drawing;
  request: DrawRequest;
}

/** Whether repainting the hand with this seed makes it right: always the same for the same seed. */
export function repairs(seed: number): boolean {
  return luck('repair', seed) < repairRate;
}

export async function drawn(draw: Artist, request: DrawRequest): Promise<Drawn> {
  return { drawing: await draw(request), request };
}

/** The scene of `request` with its hand repainted: right with a good chance, else as it was. */
export function drawRepaired(draw: Artist, request: DrawRequest): Promise<Drawn> {
  return drawn(draw, repairs(request.seed) ? { ...request, badRate: 0 } : request);
}

/**
 * Repaints the hand of a given picture. A drawing of this server says what it shows, so the same scene comes
 * back with another hand; of a foreign picture nothing is known, so `request` is drawn in its size.
 */
export async function repairPicture(
  draw: Artist,
  picture: Buffer,
  known: SketchChunk | undefined,
  request: DrawRequest,
): Promise<Drawn> {
  if (known === undefined) return drawRepaired(draw, { ...request, ...(await sizeOf(picture)) });
  const good = known.truth.anatomy === 'good' || repairs(request.seed);
  return drawn(draw, { ...known.request, handSeed: request.seed, badRate: good ? 0 : 1 });
}
