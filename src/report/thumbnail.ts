import sharp from 'sharp';
import { join } from 'node:path';
import { writeAtomically } from '../base/atomic.js';

/** Pixels of the longer side: sharp on a telephone, where a column is half as wide. */
const side = 320;

/** Where the thumbnail of an attempt lies, below the run's folder. */
export const thumbnailPath = (shot: number, number: number): string => `thumbnails/${number}/${shot}.webp`;

/**
 * Makes the thumbnail of an attempt from its image, or the file that holds it. False where that is no picture, or is
 * not there. Throws StorageError.
 */
export async function writeThumbnail(
  folder: string,
  { shot, number }: { shot: number; number: number },
  image: Uint8Array | string,
): Promise<boolean> {
  const picture = await sharp(image)
    .resize(side, side, { fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 70 })
    .toBuffer()
    .catch(() => undefined);
  if (picture) await writeAtomically(join(folder, thumbnailPath(shot, number)), picture);
  return picture !== undefined;
}
