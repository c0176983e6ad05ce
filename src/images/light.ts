import { holdsBase64, withoutBase64 } from '../base/base64.js';
import { hideInImage } from './hide.js';
import { isPng, readTextChunks } from './png.js';

/**
 * A picture without the pictures in its texts: ComfyUI writes the whole workflow into each image, with all the base64
 * that stands in its nodes, megabytes for every attempt. What they were is said in their place.
 */
export function withoutPictures(image: Buffer): Buffer {
  // Texts that cannot be read are the server's own, and stay where there is nothing to take out.
  if (isPng(image) && ![...readTextChunks(image).values()].some(holdsBase64)) return image;
  return hideInImage(image, { hide: withoutBase64, tells: holdsBase64 });
}
