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

const setting = /\s*([\p{L}\p{N}_][\p{L}\p{N}_ \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)/gu;

/** The settings of an infotext by name, `Prompt` and `Negative prompt` among them, as /png-info answers. */
export function readInfotext(text: string): Record<string, string> {
  const lines = text.trim().split('\n');
  const last = lines.at(-1) ?? '';
  const hasSettings = [...last.matchAll(setting)].length >= 3;
  const words: { prompt: string[]; negative: string[] } = { prompt: [], negative: [] };
  let into = words.prompt;
  for (const line of hasSettings ? lines.slice(0, -1) : lines) {
    const trimmed = line.trim();
    if (trimmed.startsWith('Negative prompt:')) into = words.negative;
    into.push(trimmed.replace(/^Negative prompt:\s*/, ''));
  }
  const settings: Record<string, string> = {
    Prompt: words.prompt.join('\n'),
    'Negative prompt': words.negative.join('\n'),
  };
  if (!hasSettings) return settings;
  for (const [, key = '', value = ''] of last.matchAll(setting)) {
    const size = /^(\d+)x(\d+)$/.exec(value);
    if (size) {
      settings[`${key}-1`] = size[1] ?? '';
      settings[`${key}-2`] = size[2] ?? '';
    } else {
      settings[key] = unquote(value);
    }
  }
  return settings;
}

function unquote(value: string): string {
  if (!value.startsWith('"') || !value.endsWith('"')) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    return value;
  }
}
