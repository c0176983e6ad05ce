/** AUTOMATIC1111's infotext: what `parameters` in a PNG says about how it was made. */

export type InfoValue = string | number | null | undefined;

/** Prompt lines, an optional negative prompt, and one line of settings; null and undefined ones are left out. */
export function writeInfotext(
  prompt: string,
  negative: string,
  settings: Readonly<Record<string, InfoValue>>,
): string {
  const line = Object.entries(settings)
    .filter((entry): entry is [string, string | number] => entry[1] !== null && entry[1] !== undefined)
    .map(([key, value]) => (key === value ? key : `${key}: ${quote(String(value))}`))
    .join(', ');
  const negativeLine = negative === '' ? '' : `\nNegative prompt: ${negative}`;
  return `${prompt}${negativeLine}\n${line}`.trim();
}

function quote(value: string): string {
  return /[,\n:]/.test(value) ? JSON.stringify(value) : value;
}
