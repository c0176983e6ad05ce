import sharp from 'sharp';
import { sketchTruth, type Drawing, type DrawRequest } from '../../sketch/drawing/index.js';

/** Draws one flat colour that depends on the request: for tests of a sketch server that need no hands. */
export async function quickArtist(request: DrawRequest): Promise<Drawing> {
  const truth = sketchTruth(request);
  const background = {
    r: request.seed % 200,
    g: Math.floor(request.seed / 200) % 200,
    b: truth.anatomy === 'good' ? 200 : 100,
  };
  const { width, height } = request;
  const pixels = await sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();
  return { pixels, truth };
}
