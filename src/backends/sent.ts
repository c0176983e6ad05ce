/** Letters and items that an attempt's record keeps of one value. */
const maxText = 20_000;
const maxItems = 10_000;

/** One pass over the text, however it goes on: workflows hold megabytes. */
const base64 = /^(data:[^,]{1,100},)?[A-Za-z0-9+/_-]{20}[A-Za-z0-9+/=_\r\n-]*$/;
/** How PNG, JPEG, WebP and GIF begin: a mask may be a few hundred bytes. */
const picture = /^(data:image|iVBORw0KGgo|\/9j\/|UklGR|R0lGOD)/;

/**
 * What was sent, without what is too large to keep once an attempt: pictures in base64, other long texts, long
 * lists. What they were stands in their place. For the ledger, the manifest and published images.
 */
export function withoutLarge(value: unknown): unknown {
  if (typeof value === 'string') return shortened(value);
  if (Array.isArray(value)) {
    return value.length > maxItems ? `(a list of ${value.length} values)` : value.map(withoutLarge);
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withoutLarge(part)]));
}

function shortened(text: string): string {
  if ((text.length > 1000 || picture.test(text)) && base64.test(text)) {
    return `(picture, ${Math.round((text.length * 3) / 4)} bytes)`;
  }
  return text.length > maxText ? `(text, ${text.length} characters)` : text;
}
