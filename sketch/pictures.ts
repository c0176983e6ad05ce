import sharp from 'sharp';
import type { Fault } from './types.js';

/** How a picture looks when `share` (0 to 1) of its denoising is done: blurred, and grey with noise. PNG. */
export async function halfDenoised(png: Buffer, share: number): Promise<Buffer> {
  const { width, height } = await sizeOf(png);
  const noise = await sharp({
    create: {
      width,
      height,
      channels: 3,
      background: 'grey',
      noise: { type: 'gaussian', mean: 128, sigma: 60 },
    },
  })
    .ensureAlpha(Math.max(0.15, 0.9 * (1 - share)))
    .png()
    .toBuffer();
  const sigma = 0.5 + (1 - share) * Math.max(width, height) * 0.04;
  return sharp(png)
    .blur(sigma)
    .composite([{ input: noise }])
    .removeAlpha()
    .png()
    .toBuffer();
}

/** A small picture of work in progress. JPEG, at most 256 pixels wide and high. */
export async function preview(png: Buffer, share: number): Promise<Buffer> {
  const small = await sharp(png)
    .resize(256, 256, { fit: 'inside', withoutEnlargement: true })
    .png()
    .toBuffer();
  return sharp(await halfDenoised(small, share))
    .jpeg({ quality: 70 })
    .toBuffer();
}

/** The pixels as a fault leaves them: all of one colour, or the same whatever was asked for. PNG, of the same size. */
export async function spoiled(png: Buffer, fault: Fault | undefined): Promise<Buffer> {
  if (fault !== 'black' && fault !== 'grey' && fault !== 'stuck') return png;
  const { width, height } = await sizeOf(png);
  const picture =
    fault === 'stuck'
      ? sharp(Buffer.from(stuck)).resize(width, height, { fit: 'fill' }).removeAlpha()
      : sharp({ create: { width, height, channels: 3, background: fault } });
  return picture.png().toBuffer();
}

const stuck =
  '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="64" height="64" fill="red"/>' +
  '<circle cx="32" cy="32" r="20" fill="blue"/></svg>';

/** A PNG whose end is missing. */
export function truncated(png: Buffer): Buffer {
  return png.subarray(0, Math.floor(png.length * 0.6));
}

export async function sizeOf(image: Buffer): Promise<{ width: number; height: number }> {
  const { width, height } = await sharp(image).metadata();
  return { width, height };
}
