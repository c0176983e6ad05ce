import type { Adjust, ImageRequest, Rung } from './types.js';

/** What servers take: a relative change never leaves these bounds. */
const bounds: Record<string, { min: number; max: number; step?: number }> = {
  width: { min: 64, max: 4096, step: 8 },
  height: { min: 64, max: 4096, step: 8 },
  steps: { min: 1, max: 500, step: 1 },
  cfg_scale: { min: 0, max: 100 },
  clip_skip: { min: 1, max: 12, step: 1 },
  denoising_strength: { min: 0, max: 1 },
};

const change = /^([+*-])\s*(\d+(?:\.\d+)?)$/;
const textChange = /^(prompt|negative_prompt)_(append|prepend|replace)$/;

/** A request with a ladder's `adjust` applied. Applying an append or prepend twice changes nothing more. */
export function adjust(request: ImageRequest, changes: Adjust): ImageRequest {
  const adjusted: Record<string, unknown> = { ...request };
  for (const [key, value] of Object.entries(changes)) {
    const text = textChange.exec(key);
    const setting = text?.[1] ?? key;
    const old = adjusted[setting];
    if (text) adjusted[setting] = changeText(old as string, text[2] as TextChange, value as string);
    else {
      const match = key in bounds && typeof value === 'string' ? change.exec(value.trim()) : null;
      if (!match) adjusted[key] = value;
      // A setting that was left to the server has no number to start from: it stays there.
      else if (typeof old === 'number') adjusted[key] = changeNumber(key, old, match);
    }
  }
  return adjusted as unknown as ImageRequest;
}

/** The settings that a ladder changes, each once. */
export function adjustedBy(ladder: readonly Rung[]): string[] {
  const keys = ladder.flatMap((rung) => ('adjust' in rung ? Object.keys(rung.adjust) : []));
  return [...new Set(keys.map((key) => textChange.exec(key)?.[1] ?? key))];
}

type TextChange = 'append' | 'prepend' | 'replace';

function changeText(old: string, how: TextChange, text: string): string {
  if (how === 'replace') return text;
  if (old.includes(text)) return old;
  const parts = how === 'append' ? [old, text] : [text, old];
  return parts.filter((part) => part.trim() !== '').join(', ');
}

function changeNumber(setting: string, from: number, [, how, number]: RegExpExecArray): number {
  const by = Number(number);
  const { min, max, step } = bounds[setting] ?? { min: -Infinity, max: Infinity };
  const changed = how === '*' ? from * by : how === '-' ? from - by : from + by;
  const stepped = step ? Math.round(changed / step) * step : Number(changed.toFixed(6));
  return Math.min(max, Math.max(min, stepped));
}
