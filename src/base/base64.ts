import { createHash } from 'node:crypto';

/** One pass over the text, however it goes on: workflows hold megabytes. */
const whole = /^(data:[^,]{1,100},)?[A-Za-z0-9+/_-]{20}[A-Za-z0-9+/=_\r\n-]*$/;
/** How PNG, JPEG, WebP and GIF begin: a mask may be a few hundred bytes. */
const picture = /^(data:image|iVBORw0KGgo|\/9j\/|UklGR|R0lGOD)/;
/** The look behind keeps it linear: no run is tried from its middle. */
const within = /(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{1000,}={0,2}/g;

/** Whether a text is a picture in base64, or as long as one. */
export const isBase64 = (text: string): boolean =>
  (text.length > 1000 || picture.test(text)) && whole.test(text);

/** `(picture, 1650 bytes, sha256 ...)`: what stands in the place of base64. The hash is the file's. */
export function describeBase64(text: string): string {
  const bytes = Buffer.from(text.slice(text.startsWith('data:') ? text.indexOf(',') + 1 : 0), 'base64');
  return `(picture, ${bytes.length} bytes, sha256 ${createHash('sha256').update(bytes).digest('hex')})`;
}

/** A longer text, such as a workflow's JSON, with the same in the place of all the base64 in it. */
export const withoutBase64 = (text: string): string => text.replace(within, describeBase64);

export const holdsBase64 = (text: string): boolean => text.search(within) !== -1;
