import { webcrypto } from 'node:crypto';
import sharp from 'sharp';
import { plural } from '../base/plural.js';
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

export interface Inspected extends ImageFacts {
  /** SHA-256 of the pixels alone: pictures that differ in what their files say beside them have the same. */
  pixels: string;
}

/** 100 megapixels: an 8K upscale fits three times over; a decompression bomb does not. */
const maxPixels = 100_000_000;
/** No server makes anything this small on purpose. */
const minSide = 8;
/** 0 to 255: how far a picture of one colour may stray from it. A JPEG does so by a step or two, a WebP by some more. */
const stray = 6;

/**
 * Decodes a picture from first to last pixel and says what it is. Throws ImageError for what must not
 * pass as a candidate: another format, truncated, corrupt, animated, too large, too small, or all of one colour.
 */
export async function inspectImage(bytes: Buffer): Promise<Inspected> {
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
  const colour = onlyColour(pixels, pixels.length / (width * height));
  if (colour !== undefined) {
    throw new ImageError(
      `${colour} image: every pixel is ${colour}. The server's safety filter, or NaNs in its VAE (try --no-half-vae).`,
    );
  }
  const digest = await webcrypto.subtle.digest('SHA-256', pixels);
  return { width, height, format, pixels: Buffer.from(digest).toString('hex') };
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
  throw new ImageError(`not a picture: ${plural(bytes.length, 'byte')}, no PNG, JPEG or WebP.`);
}

async function header(bytes: Buffer): Promise<{ width: number; height: number }> {
  try {
    const { width, height, pages } = await sharp(bytes, { limitInputPixels: false }).metadata();
    if ((pages ?? 1) > 1) throw animated();
    return { width, height };
  } catch (error) {
    throw corrupt(error);
  }
}

async function decode(bytes: Buffer, format: ImageFormat): Promise<Buffer> {
  try {
    // A decoder may be content without the last chunk; a cut download is still a cut download.
    if (format === 'png') for (const { type } of chunks(bytes)) if (type === 'acTL') throw animated();
    return await sharp(bytes, { limitInputPixels: maxPixels, failOn: 'error' })
      .removeAlpha()
      .raw()
      .toBuffer();
  } catch (error) {
    throw corrupt(error);
  }
}

const animated = (): ImageError => new ImageError('animated: reroll takes single pictures.');

const corrupt = (error: unknown): ImageError =>
  error instanceof ImageError
    ? error
    : new ImageError(`corrupt or truncated picture: ${toError(error).message}`, { cause: error });

/**
 * The name of the one colour that all pixels have; undefined where there are more. `pixels`: rows of `channels` bytes
 * each. Leaves at the first pixel that strays, so an ordinary picture costs nothing.
 */
function onlyColour(pixels: Buffer, channels: number): string | undefined {
  const first = [...pixels.subarray(0, channels)];
  for (let at = 0; at < pixels.length; at++) {
    if (Math.abs((pixels[at] ?? 0) - (first[at % channels] ?? 0)) > stray) return undefined;
  }
  if (first.every((value) => value <= stray)) return 'black';
  if (first.every((value) => value >= 255 - stray)) return 'white';
  return `#${first.map((value) => value.toString(16).padStart(2, '0')).join('')}`;
}
