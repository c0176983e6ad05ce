import { crc32, inflateSync } from 'node:zlib';
import { ImageError } from '../errors.js';

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/**
 * What all texts of a picture may take together, and how many there may be: a compressed chunk of a few kB can claim
 * gigabytes, and a picture of nothing but chunks has millions. No infotext or workflow is near this.
 */
const maxTextBytes = 16 * 1024 * 1024;
const minTextBytes = 1024 * 1024;
const maxTexts = 1_000;
/** 100 megapixels in chunks of 8 kB, as libpng writes them, are 50,000. */
const maxChunks = 100_000;

interface Chunk {
  type: string;
  data: Buffer;
  /** Where the chunk begins in the file. */
  start: number;
}

export const isPng = (bytes: Buffer): boolean => bytes.subarray(0, 8).equals(signature);

/** The chunks of a PNG up to IEND. Throws ImageError where the file ends before it, or has more than 100,000. */
export function* chunks(png: Buffer): Generator<Chunk> {
  if (!isPng(png)) throw new ImageError('this is no PNG file.');
  for (let start = 8, count = 1; start + 12 <= png.length; count++) {
    if (count > maxChunks) throw new ImageError(`more than ${maxChunks} chunks: this is no picture.`);
    const end = start + 12 + png.readUInt32BE(start);
    if (end > png.length) break;
    const type = png.toString('latin1', start + 4, start + 8);
    yield { type, data: png.subarray(start + 8, end - 4), start };
    if (type === 'IEND') return;
    start = end;
  }
  throw new ImageError('truncated PNG: the file ends before its IEND chunk.');
}

/**
 * `png` with one more text chunk before the pixels; every other byte stays as it is. ASCII becomes
 * tEXt, which every tool reads, anything else iTXt: tools disagree on the encoding of tEXt beyond ASCII. `keyword`: 1 to 79 Latin-1 characters.
 * Source: PNG specification, third edition, 11.3.3.
 */
export function addTextChunk(png: Buffer, keyword: string, text: string): Buffer {
  let at: number | undefined;
  for (const chunk of chunks(png)) {
    if (chunk.type !== 'IDAT') continue;
    at = chunk.start;
    break;
  }
  if (at === undefined) throw new ImageError('this PNG has no pixels (no IDAT chunk).');
  return Buffer.concat([png.subarray(0, at), textChunk(keyword, text), png.subarray(at)]);
}

/** `png` without the text chunks of a keyword. */
export function withoutText(png: Buffer, keyword: string): Buffer {
  const start = Buffer.from(`${keyword}\0`, 'latin1');
  const parts = [png.subarray(0, 8)];
  let end = 8;
  for (const chunk of chunks(png)) {
    end = chunk.start + 12 + chunk.data.length;
    const isIt = isText(chunk.type) && chunk.data.subarray(0, start.length).equals(start);
    if (!isIt) parts.push(png.subarray(chunk.start, end));
  }
  return Buffer.concat([...parts, png.subarray(end)]);
}

/** One text chunk with its length and checksum. */
export function textChunk(keyword: string, text: string): Buffer {
  const ascii = /^[\n\x20-\x7e]*$/.test(text);
  const body = ascii
    ? Buffer.from(`tEXt${keyword}\0${text}`, 'latin1')
    : Buffer.concat([Buffer.from(`iTXt${keyword}\0\0\0\0\0`, 'latin1'), Buffer.from(text, 'utf8')]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length - 4);
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, crc]);
}

/** Throws ImageError where the file ends before its IEND chunk. */
export function checkWhole(png: Buffer): void {
  const all = chunks(png);
  while (!all.next().done);
}

/**
 * The texts of a PNG by keyword (tEXt, zTXt and iTXt): A1111's infotext is `parameters`, ComfyUI's are
 * `prompt` and `workflow`. The first of a keyword counts; damaged texts, and those past 1,000, 16 MiB, or ten times
 * the file, are left out.
 */
export function readTextChunks(png: Buffer): Map<string, string> {
  const texts = new Map<string, string>();
  const read = textReader(png);
  for (const { type, data } of chunks(png)) {
    const found = isText(type) ? read(type, data) : undefined;
    if (found && !texts.has(found.keyword)) texts.set(found.keyword, found.text);
  }
  return texts;
}

type TextType = 'tEXt' | 'zTXt' | 'iTXt';

export const isText = (type: string): type is TextType => /^([zi]TX|tEX)t$/.test(type);

export interface PngText {
  keyword: string;
  text: string;
}

/** Reads the text chunks of one picture; undefined for one that is damaged, or past what a picture may have of them. */
export function textReader(png: Buffer): (type: TextType, data: Buffer) => PngText | undefined {
  let bytesLeft = Math.min(maxTextBytes, Math.max(minTextBytes, 10 * png.length));
  let textsLeft = maxTexts;
  return (type, data) => {
    const zero = data.indexOf(0);
    if (zero < 1 || zero > 79 || data.length > bytesLeft || textsLeft-- <= 0) return undefined;
    const text = textOf(type, data.subarray(zero + 1), bytesLeft);
    // One that is too large has been unpacked as far as it may, to no avail: a thousand of them shall not cost as much each.
    bytesLeft = text ? bytesLeft - text.bytes.length : Math.floor(bytesLeft / 2);
    if (!text) return undefined;
    return { keyword: data.toString('latin1', 0, zero), text: text.bytes.toString(text.encoding) };
  };
}

function textOf(
  type: TextType,
  data: Buffer,
  most: number,
): { bytes: Buffer; encoding: 'latin1' | 'utf8' } | undefined {
  if (type === 'tEXt') return { bytes: data, encoding: 'latin1' };
  if (type === 'zTXt') return inflated(data.subarray(1), most, 'latin1');
  const afterLanguage = data.indexOf(0, 2) + 1;
  const afterTranslation = data.indexOf(0, afterLanguage) + 1;
  if (afterLanguage === 0 || afterTranslation === 0) return undefined;
  const text = data.subarray(afterTranslation);
  return data[0] === 1 ? inflated(text, most, 'utf8') : { bytes: text, encoding: 'utf8' };
}

function inflated<Encoding extends 'latin1' | 'utf8'>(
  data: Buffer,
  most: number,
  encoding: Encoding,
): { bytes: Buffer; encoding: Encoding } | undefined {
  try {
    return { bytes: inflateSync(data, { maxOutputLength: most }), encoding };
  } catch {
    return undefined;
  }
}
