import { crc32, inflateSync } from 'node:zlib';
import { ImageError } from '../errors.js';

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** A compressed chunk of a few kB can claim gigabytes. No infotext or workflow is near this. */
const maxTextBytes = 16 * 1024 * 1024;

interface Chunk {
  type: string;
  data: Buffer;
  /** Where the chunk begins in the file. */
  start: number;
}

export const isPng = (bytes: Buffer): boolean => bytes.subarray(0, 8).equals(signature);

/** The chunks of a PNG up to IEND. Throws ImageError where the file ends before it. */
export function* chunks(png: Buffer): Generator<Chunk> {
  if (!isPng(png)) throw new ImageError('this is no PNG file.');
  for (let start = 8; start + 12 <= png.length;) {
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

/**
 * The texts of a PNG by keyword (tEXt, zTXt and iTXt): A1111's infotext is `parameters`, ComfyUI's are
 * `prompt` and `workflow`. The first of a keyword counts; damaged or oversized texts are left out.
 */
export function readTextChunks(png: Buffer): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { type, data } of chunks(png)) {
    const found = isText(type) ? readText(type, data) : undefined;
    if (found && !texts.has(found.keyword)) texts.set(found.keyword, found.text);
  }
  return texts;
}

type TextType = 'tEXt' | 'zTXt' | 'iTXt';

export const isText = (type: string): type is TextType => /^([zi]TX|tEX)t$/.test(type);

/** A text chunk's content; undefined where it is damaged or oversized. */
export function readText(type: TextType, data: Buffer): { keyword: string; text: string } | undefined {
  const zero = data.indexOf(0);
  if (zero < 1) return undefined;
  const text = textOf(type, data.subarray(zero + 1));
  return text === undefined ? undefined : { keyword: data.toString('latin1', 0, zero), text };
}

function textOf(type: TextType, data: Buffer): string | undefined {
  if (type === 'tEXt') return data.toString('latin1');
  if (type === 'zTXt') return inflate(data.subarray(1))?.toString('latin1');
  const afterLanguage = data.indexOf(0, 2) + 1;
  const afterTranslation = data.indexOf(0, afterLanguage) + 1;
  if (afterLanguage === 0 || afterTranslation === 0) return undefined;
  const text = data.subarray(afterTranslation);
  return (data[0] === 1 ? inflate(text) : text)?.toString('utf8');
}

function inflate(data: Buffer): Buffer | undefined {
  try {
    return inflateSync(data, { maxOutputLength: maxTextBytes });
  } catch {
    return undefined;
  }
}
