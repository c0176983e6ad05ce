import { closeSync, openSync, readSync } from 'node:fs';

/** Where a picture's kind is told, and how it begins there. */
const beginnings: readonly [at: number, letters: string][] = [
  [0, '\x89PNG\r\n\x1a\n'],
  [0, '\xff\xd8\xff'],
  [8, 'WEBP'],
  [0, 'GIF8'],
  [0, 'BM'],
  [0, 'II*\0'],
  [0, 'MM\0*'],
  [4, 'ftypavif'],
  [4, 'ftyphei'],
  [4, 'ftypmif1'],
];

/** Whether a file that begins with these bytes is a picture: PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or HEIC. */
export function isPicture(bytes: Uint8Array): boolean {
  const start = Buffer.from(bytes.subarray(0, 16)).toString('latin1');
  return beginnings.some(([at, letters]) => start.startsWith(letters, at));
}

/** The same of a regular file. Throws as the file system does. */
export function isPictureFile(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const start = Buffer.alloc(16);
    readSync(file, start, 0, start.length, 0);
    return isPicture(start);
  } finally {
    closeSync(file);
  }
}
