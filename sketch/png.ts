import { crc32 } from 'node:zlib';
import type { DrawRequest, Truth } from './drawing/index.js';

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** The signature and the IHDR chunk, which comes first and is always 25 bytes long. */
const headerLength = signature.length + 25;

/** What the drawing itself says about what it shows. */
export interface SketchChunk {
  truth: Truth;
  prompt: string;
  seed: number;
  remoteId?: string;
  /** What was drawn, so that a repair can draw the same scene again. */
  request: DrawRequest;
}

/** `png` with text chunks before its pixels, as Pillow writes them: tEXt if Latin-1 can say it, else iTXt. */
export function addText(png: Buffer, texts: Readonly<Record<string, string>>): Buffer {
  const chunks = Object.entries(texts).map(([key, text]) =>
    isLatin1(text)
      ? chunk('tEXt', Buffer.concat([Buffer.from(`${key}\0`, 'latin1'), Buffer.from(text, 'latin1')]))
      : // keyword, no compression, no language tag, no translated keyword
        chunk('iTXt', Buffer.concat([Buffer.from(`${key}\0\0\0\0\0`, 'latin1'), Buffer.from(text, 'utf8')])),
  );
  return Buffer.concat([png.subarray(0, headerLength), ...chunks, png.subarray(headerLength)]);
}

/** The tEXt chunks and uncompressed iTXt chunks of a PNG by keyword. Empty for other files; stops where a file breaks off. */
export function readTexts(png: Buffer): Map<string, string> {
  const texts = new Map<string, string>();
  if (!png.subarray(0, signature.length).equals(signature)) return texts;
  for (let at = signature.length; at + 12 <= png.length;) {
    const length = png.readUInt32BE(at);
    const type = png.toString('latin1', at + 4, at + 8);
    const data = png.subarray(at + 8, at + 8 + length);
    if (type === 'IEND') break;
    const key = data.subarray(0, Math.max(0, data.indexOf(0))).toString('latin1');
    if (type === 'tEXt') texts.set(key, data.toString('latin1', key.length + 1));
    if (type === 'iTXt' && data[key.length + 1] === 0) {
      const language = data.indexOf(0, key.length + 3);
      const translated = data.indexOf(0, language + 1);
      texts.set(key, data.toString('utf8', translated + 1));
    }
    at += length + 12;
  }
  return texts;
}

/** What a sketch server wrote into a picture; undefined for a picture of another origin. */
export function readTruth(png: Buffer): SketchChunk | undefined {
  const text = readTexts(png).get('sketch');
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as SketchChunk;
  } catch {
    return undefined; // somebody else's chunk of the same name
  }
}

function isLatin1(text: string): boolean {
  return Buffer.from(text, 'latin1').toString('latin1') === text;
}

function chunk(type: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, crc]);
}
