import { describeBase64, isBase64 } from '../base/base64.js';

/** Letters and items that an attempt's record keeps of one value. */
const maxText = 20_000;
const maxItems = 10_000;

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
  if (isBase64(text)) return describeBase64(text);
  return text.length > maxText ? `(text, ${text.length} characters)` : text;
}
