import { luck } from './luck.js';
import type { SketchChunk } from './png.js';
import { sizeOf } from './pictures.js';
import type { Drawing, DrawRequest } from './drawing/index.js';
import type { Artist } from './types.js';

/** How often repainting a bad hand makes it right. */
const REPAIR_RATE = 0.7;

/** Whether repainting the hand with this seed makes it right: always the same for the same seed. */
export function repairs(seed: number): boolean {
  return luck('repair', seed) < REPAIR_RATE;
}

/** The scene of `request` with its hand repainted: right with a good chance, else as it was. */
export async function drawRepaired(draw: Artist, request: DrawRequest, seed: number): Promise<Drawing> {
  return draw(repairs(seed) ? { ...request, badRate: 0 } : request);
}

/**
 * Repaints the hand of a given picture. A drawing of this server says what it shows, so the same scene comes
 * back; of a foreign picture nothing is known, so `fallback` is drawn.
 */
export async function repairPicture(
  draw: Artist,
  picture: Buffer,
  known: SketchChunk | undefined,
  fallback: DrawRequest,
): Promise<Drawing> {
  if (known === undefined)
    return drawRepaired(draw, { ...fallback, ...(await sizeOf(picture)) }, fallback.seed);
  if (known.truth.anatomy === 'good') return draw({ ...known.request, badRate: 0 });
  return draw({ ...known.request, badRate: repairs(fallback.seed) ? 0 : 1 });
}
