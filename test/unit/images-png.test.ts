import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import { beforeAll, expect, test } from 'vitest';
import { addTextChunk, readTextChunks } from '../../src/images/index.js';
import { pngChunk, testPicture } from '../support/pictures.js';

let png: Buffer;
beforeAll(async () => {
  png = await testPicture(16, 16).png().toBuffer();
});

const withChunk = (chunk: Buffer): Buffer => {
  const at = png.indexOf('IDAT') - 4;
  return Buffer.concat([png.subarray(0, at), chunk, png.subarray(at)]);
};

test('any text comes back as it was, and every other byte stays', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const written = addTextChunk(png, 'note', text);
      expect(readTextChunks(written).get('note')).toBe(text);
      const at = png.indexOf('IDAT') - 4;
      const added = written.length - png.length;
      expect(Buffer.concat([written.subarray(0, at), written.subarray(at + added)]).equals(png)).toBe(true);
    }),
  );
});

test('sharp reads the text and still decodes the picture', async () => {
  for (const text of ['plain', 'Größe', '手']) {
    const written = addTextChunk(png, 'note', text);
    const { comments } = await sharp(written).metadata();
    expect(comments).toContainEqual({ keyword: 'note', text });
    expect(
      (await sharp(written, { failOn: 'warning' }).raw().toBuffer()).equals(
        await sharp(png).raw().toBuffer(),
      ),
    ).toBe(true);
  }
});

test('compressed texts are read: zTXt and compressed iTXt', () => {
  const packed = deflateSync('steps: 20, 手');
  const ztxt = pngChunk('zTXt', Buffer.concat([Buffer.from('a\0\0', 'latin1'), deflateSync('steps: 20')]));
  const itxt = pngChunk('iTXt', Buffer.concat([Buffer.from('b\0\x01\0de\0Wort\0', 'latin1'), packed]));
  expect(Object.fromEntries(readTextChunks(withChunk(Buffer.concat([ztxt, itxt]))))).toEqual({
    a: 'steps: 20',
    b: 'steps: 20, 手',
  });
});

test('a text that would inflate to gigabytes, or is damaged, is left out', () => {
  const bomb = deflateSync(Buffer.alloc(64 * 1024 * 1024));
  const ztxt = pngChunk('zTXt', Buffer.concat([Buffer.from('bomb\0\0', 'latin1'), bomb]));
  const broken = pngChunk('iTXt', Buffer.from('broken\0\0\0no end', 'latin1'));
  const damaged = pngChunk('zTXt', Buffer.from('damaged\0\0not zlib', 'latin1'));
  expect(readTextChunks(withChunk(Buffer.concat([ztxt, broken, damaged]))).size).toBe(0);
});

test('a chunk length that leads past the end is an ImageError, not a read out of bounds', () => {
  fc.assert(
    fc.property(fc.nat(png.length - 1), fc.integer({ min: 0, max: 255 }), (at, value) => {
      const hostile = Buffer.from(png);
      hostile[at] = value;
      try {
        readTextChunks(hostile);
      } catch (error) {
        expect(error).toMatchObject({ name: 'ImageError' });
      }
    }),
  );
});
