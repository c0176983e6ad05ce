import sharp from 'sharp';

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

/** What a model that runs into NaNs without a check makes: an all-black PNG of the same size. */
export async function black(png: Buffer): Promise<Buffer> {
  const { width, height } = await sizeOf(png);
  return sharp({ create: { width, height, channels: 3, background: 'black' } })
    .png()
    .toBuffer();
}

/** A PNG whose end is missing. */
export function truncated(png: Buffer): Buffer {
  return png.subarray(0, Math.floor(png.length * 0.6));
}

export async function sizeOf(image: Buffer): Promise<{ width: number; height: number }> {
  const { width, height } = await sharp(image).metadata();
  return { width, height };
}
