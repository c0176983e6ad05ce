import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp';
import { ImageError, toError } from '../errors.js';
import { resample, type Filter, type Rgb } from './resample.js';
import type { Size } from './sizes.js';

/** Of a picture, as it is and as a model wants it. */
export const maxPixels = 100_000_000;
const formats = new Set(['png', 'jpeg', 'webp', 'gif', 'tiff', 'heif']);
/** Filters that libvips has as well, and that are the same there where a picture shrinks. */
const kernels: Partial<Record<Filter, 'linear' | 'cubic' | 'lanczos3'>> = {
  bilinear: 'linear',
  bicubic: 'cubic',
  lanczos: 'lanczos3',
};

/** As transformers' `load_image` opens files with Pillow: turned as EXIF says, embedded colour profiles not applied. */
const options: SharpOptions = {
  limitInputPixels: maxPixels,
  failOn: 'error',
  ignoreIcc: true,
  autoOrient: true,
};

/**
 * The picture in `image` (bytes, or a file's path) as RGB of exactly this size, as Pillow's
 * `load_image(file).resize((width, height))` gives it. Throws ImageError.
 */
export async function readResized(
  image: Buffer | string,
  width: number,
  height: number,
  filter: Filter,
): Promise<Rgb> {
  const source = await readHeader(image);
  const { autoOrient: upright } = source;
  const shrinks = upright.width >= width && upright.height >= height;
  const kernel = kernels[filter];
  // libvips blends transparent pixels before it drops alpha, and enlarges about other centres than Pillow.
  if (kernel === undefined || !shrinks || source.hasAlpha || source.space === 'cmyk') {
    return resample(await decode(image, source), width, height, filter);
  }
  return toRgb(
    sharp(image, options)
      // Any pipeline colour space turns off JPEG and WebP shrink-on-load, which resamples coarsely.
      .pipelineColourspace('srgb')
      .resize(width, height, { fit: 'fill', kernel }),
  );
}

/** How large the picture is, upright. Throws ImageError. */
export async function readSize(image: Buffer | string): Promise<Size> {
  return (await readHeader(image)).autoOrient;
}

/** The whole picture as RGB. Throws ImageError. */
export async function readRgb(image: Buffer | string): Promise<Rgb> {
  return decode(image, await readHeader(image));
}

async function readHeader(image: Buffer | string): Promise<Metadata> {
  if (image.length === 0) throw new ImageError('empty file: 0 bytes.');
  const header = await sharp(image, { ...options, limitInputPixels: false })
    .metadata()
    .catch(unreadable);
  if (!formats.has(header.format)) throw new ImageError(`a ${header.format} file is no picture of pixels.`);
  if ((header.pages ?? 1) > 1)
    throw new ImageError('animated, or of several pages: reroll takes single pictures.');
  if (header.width * header.height > maxPixels) {
    throw new ImageError(
      `${header.width} x ${header.height} pixels: larger than the ${maxPixels / 1e6} megapixels that reroll opens.`,
    );
  }
  return header;
}

function decode(image: Buffer | string, header: Metadata): Promise<Rgb> {
  return header.space === 'cmyk' ? decodeCmyk(image) : toRgb(sharp(image, options));
}

async function toRgb(pipeline: Sharp): Promise<Rgb> {
  const { data, info } = await pipeline
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch(unreadable);
  return { width: info.width, height: info.height, data };
}

/** Pillow's plain formula, not a printer's profile. */
async function decodeCmyk(image: Buffer | string): Promise<Rgb> {
  const { data, info } = await sharp(image, options)
    .pipelineColourspace('cmyk')
    .toColourspace('cmyk')
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch(unreadable);
  const rgb = new Uint8Array(info.width * info.height * 3);
  for (let pixel = 0; pixel < info.width * info.height; pixel++) {
    const light = 255 - (data[pixel * 4 + 3] ?? 0);
    for (let channel = 0; channel < 3; channel++) {
      rgb[pixel * 3 + channel] = Math.round(((255 - (data[pixel * 4 + channel] ?? 0)) * light) / 255);
    }
  }
  return { width: info.width, height: info.height, data: rgb };
}

function unreadable(error: unknown): never {
  throw new ImageError(`not a readable picture: ${toError(error).message}`, { cause: error });
}
