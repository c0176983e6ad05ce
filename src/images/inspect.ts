import sharp from 'sharp';
import { ImageError, toError } from '../errors.js';
import { chunks } from './png.js';

export type ImageFormat = 'png' | 'jpeg' | 'webp';

export interface ImageFacts {
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  format: ImageFormat;
}

/** 100 megapixels: an 8K upscale fits three times over; a decompression bomb does not. */
const maxPixels = 100_000_000;
/** No server makes anything this small on purpose. */
const minSide = 8;
/** 0 to 255. NaNs in a VAE and some safety filters give 0; a JPEG of that strays by a step or two. */
const blackest = 3;

/**
 * Decodes a picture from first to last pixel and says what it is. Throws ImageError for what must not
 * pass as a candidate: another format, truncated, corrupt, animated, too large, too small, or all black.
 */
export async function inspectImage(bytes: Buffer): Promise<ImageFacts> {
  const format = sniff(bytes);
  const { width, height } = await header(bytes);
  if (width * height > maxPixels) {
    throw new ImageError(
      `${width} x ${height} pixels: larger than the ${maxPixels / 1e6} megapixels that reroll opens.`,
    );
  }
  if (width < minSide || height < minSide) {
    throw new ImageError(`${width} x ${height} pixels: too small to be a picture.`);
  }
  const pixels = await decode(bytes, format);
  if (isBlack(pixels)) {
    throw new ImageError(
      "black image: every pixel is black. The server's safety filter, or NaNs in its VAE (try --no-half-vae).",
    );
  }
  return { width, height, format };
}

/** Whether two pictures, both inspected before, are the same to the last pixel, whatever their files say beside them. */
export async function samePixels(one: Buffer, other: Buffer): Promise<boolean> {
  const pixels = await decode(one, sniff(one));
  return pixels.equals(await decode(other, sniff(other)));
}

function sniff(bytes: Buffer): ImageFormat {
  const ascii = bytes.toString('latin1', 0, 12);
  if (ascii.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (ascii.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (ascii.startsWith('RIFF') && ascii.endsWith('WEBP')) return 'webp';
  if (bytes.length === 0) throw new ImageError('empty file: 0 bytes.');
  if (ascii.startsWith('GIF8')) throw new ImageError('a GIF: reroll takes PNG, JPEG and WebP.');
  throw new ImageError(`not a picture: ${bytes.length} bytes that are no PNG, JPEG or WebP.`);
}

async function header(bytes: Buffer): Promise<{ width: number; height: number }> {
  try {
    const { width, height, pages } = await sharp(bytes, { limitInputPixels: false }).metadata();
    if ((pages ?? 1) > 1) throw new ImageError('animated: reroll takes single pictures.');
    return { width, height };
  } catch (error) {
    throw corrupt(error);
  }
}

async function decode(bytes: Buffer, format: ImageFormat): Promise<Buffer> {
  try {
    // A decoder may be content without the last chunk; a cut download is still a cut download.
    if (format === 'png') Array.from(chunks(bytes));
    return await sharp(bytes, { limitInputPixels: maxPixels, failOn: 'error' })
      .removeAlpha()
      .raw()
      .toBuffer();
  } catch (error) {
    throw corrupt(error);
  }
}

const corrupt = (error: unknown): ImageError =>
  error instanceof ImageError
    ? error
    : new ImageError(`corrupt or truncated picture: ${toError(error).message}`, { cause: error });

/** Leaves at the first pixel that is not black, so an ordinary picture costs nothing. */
const isBlack = (pixels: Buffer): boolean => pixels.every((value) => value <= blackest);
