import { ImageError } from '../errors.js';
import { checkWhole, chunks, isPng, isText, textChunk, textReader } from './png.js';

/**
 * A picture whose texts, as its server wrote them, have gone through `hide`. Those of a PNG are written anew where that
 * changes them; what else holds such a text (EXIF, XMP, comments) is left out. Pixels and all other bytes stay. Bytes
 * that are no PNG, JPEG or WebP are returned as they are.
 */
export function hideInImage(
  image: Buffer,
  { hide, tells: tellsText }: { hide: (text: string) => string; tells: (text: string) => boolean },
): Buffer {
  const tells = (data: Buffer): boolean => readings(data).some(tellsText);
  if (image.length < 12) return image;
  if (isPng(image)) return isWhole(image) ? inPng(image, hide, tells) : image;
  if (image.readUInt16BE(0) === 0xffd8) return inJpeg(image, tells);
  return image.toString('latin1', 0, 4) === 'RIFF' ? inWebp(image, tells) : image;
}

/** A broken picture is refused by others, in their words. */
function isWhole(png: Buffer): boolean {
  try {
    checkWhole(png);
    return true;
  } catch (error) {
    if (error instanceof ImageError) return false;
    throw error;
  }
}

/** As UTF-8, and as both kinds of UTF-16 from either byte on. */
function readings(data: Buffer): string[] {
  const swapped = Buffer.from(data.subarray(0, data.length & ~1)).swap16();
  const late = Buffer.from(data.subarray(1, 1 + ((data.length - 1) & ~1))).swap16();
  return [
    data.toString('utf8'),
    data.toString('latin1'),
    data.toString('utf16le'),
    data.subarray(1).toString('utf16le'),
    swapped.toString('utf16le'),
    late.toString('utf16le'),
  ];
}

type Tells = (data: Buffer) => boolean;

/** Without these there is no picture, and no text is in them. */
const needed = /^(IHDR|PLTE|IDAT|IEND|tRNS)$/;

function inPng(png: Buffer, hide: (text: string) => string, tells: Tells): Buffer {
  const parts = [png.subarray(0, 8)];
  const readText = textReader(png);
  for (const { type, data, start } of chunks(png)) {
    const whole = png.subarray(start, start + 12 + data.length);
    if (isText(type)) {
      // What cannot be read cannot be known to be free of it.
      const text = readText(type, data);
      if (!text) continue;
      const hidden = hide(text.text);
      parts.push(hidden === text.text ? whole : textChunk(text.keyword, hidden));
    } else if (needed.test(type) || !tells(data)) parts.push(whole);
  }
  return Buffer.concat(parts);
}

function inJpeg(jpeg: Buffer, tells: Tells): Buffer {
  const parts = [jpeg.subarray(0, 2)];
  let at = 2;
  // Up to the first scan; APP1 to APP15 and comments are what may be left out.
  while (at + 4 <= jpeg.length && jpeg[at] === 0xff && jpeg[at + 1] !== 0xda) {
    const marker = jpeg[at + 1] ?? 0;
    const end = at + 2 + jpeg.readUInt16BE(at + 2);
    const segment = jpeg.subarray(at, end);
    const isExtra = (marker > 0xe0 && marker <= 0xef) || marker === 0xfe;
    if (!isExtra || !tells(segment)) parts.push(segment);
    at = end;
  }
  return Buffer.concat([...parts, jpeg.subarray(at)]);
}

const exifAndXmp = 0x08 | 0x04;

function inWebp(webp: Buffer, tells: Tells): Buffer {
  const parts = [Buffer.from(webp.subarray(0, 12))];
  for (let at = 12; at + 8 <= webp.length;) {
    const type = webp.toString('latin1', at, at + 4);
    const end = at + 8 + webp.readUInt32LE(at + 4);
    const chunk = Buffer.from(webp.subarray(at, end + (end & 1)));
    if (!/^(EXIF|XMP )$/.test(type) || !tells(chunk)) parts.push(chunk);
    at = end + (end & 1);
  }
  const kinds = parts.map((part) => part.toString('latin1', 0, 4));
  const kept = (kinds.includes('EXIF') ? 0x08 : 0) | (kinds.includes('XMP ') ? 0x04 : 0);
  const header = parts[kinds.indexOf('VP8X')];
  if (header) header[8] = ((header[8] ?? 0) & ~exifAndXmp) | kept;
  const whole = Buffer.concat(parts);
  whole.writeUInt32LE(whole.length - 8, 4);
  return whole;
}
