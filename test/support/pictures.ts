import { crc32, deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';

/** Pixels of a busy picture: gradients, edges and some noise, the same for the same arguments. RGB, 8 bit. */
export function testPixels(width: number, height: number, noise = 40): Buffer {
  const pixels = Buffer.alloc(width * height * 3);
  let state = 1;
  for (let i = 0; i < pixels.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const channel = i % 3;
    const x = Math.floor(i / 3) % width;
    const y = Math.floor(i / 3 / width);
    const square = ((x >> 4) + (y >> 4)) % 2 === 0 ? 50 : -50;
    const value =
      128 + 60 * Math.sin(x / (7 + channel * 5) + y / 23) + square + (state / 2 ** 32 - 0.5) * noise;
    pixels[i] = Math.max(0, Math.min(255, Math.round(value)));
  }
  return pixels;
}

/** A sharp pipeline over testPixels: `.png().toBuffer()` and the like. */
export const testPicture = (width: number, height: number, noise?: number): Sharp =>
  sharp(testPixels(width, height, noise), { raw: { width, height, channels: 3 } });

export function pngChunk(type: string, data: Uint8Array): Buffer {
  const chunk = Buffer.alloc(12 + data.length);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(type, 4, 'latin1');
  chunk.set(data, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length);
  return chunk;
}

/** A PNG of any size that is almost no bytes: all pixels are zero. Grey, 8 bit. */
export function bombPng(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 0, 0, 0, 0], 8);
  const pixels = deflateSync(Buffer.alloc(Math.min((width + 1) * height, 1_000_000)));
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', header),
    pngChunk('IDAT', pixels),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}
