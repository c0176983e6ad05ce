import sharp from 'sharp';
import { toSvg } from './svg.js';
import { sketchTruth, type DrawRequest, type Truth } from './truth.js';

export { sketchTruth, type Defect, type DrawRequest, type Truth } from './truth.js';

export interface Drawing {
  /** PNG without any text chunk. */
  pixels: Buffer;
  truth: Truth;
}

/** Draws a hand. The same request gives the same picture, always. */
export async function draw(request: DrawRequest): Promise<Drawing> {
  const truth = sketchTruth(request);
  const picture = sharp(Buffer.from(toSvg(request))).removeAlpha();
  // A lens is never as sharp as vector art. Below 0.3 sharp does not blur.
  const softness = Math.min(request.width, request.height) / 900;
  if (truth.style === 'realistic' && softness >= 0.3) picture.blur(softness);
  return { pixels: await picture.png({ compressionLevel: 3 }).toBuffer(), truth };
}

/** A small JPEG, at most 128 pixels long, of a drawing that is done to `share` (0 to 1): blurred until it is done. */
export async function drawPreview(request: DrawRequest, share: number): Promise<Buffer> {
  const shrink = 128 / Math.max(request.width, request.height, 128);
  const picture = sharp(Buffer.from(toSvg(request, shrink))).removeAlpha();
  const blur = (1 - Math.min(1, Math.max(0, share))) * 8;
  return (blur > 0.3 ? picture.blur(blur) : picture).jpeg({ quality: 70 }).toBuffer();
}
