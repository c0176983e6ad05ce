import type { Adjust, ImageRequest, Json } from './types.js';

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

/**
 * A request with a ladder's `adjust` applied. Applying an append or prepend twice changes nothing more. A change
 * of a setting that is left out waits in the request's own `adjust`: only the server's side knows its value.
 */
export function adjust(request: ImageRequest, changes: Adjust): ImageRequest {
  const { adjust: waiting = [], ...said } = request;
  const adjusted: Record<string, unknown> = said;
  let left = waiting;
  for (const [key, value] of Object.entries(changes)) {
    const setting = settingOf(key);
    const old = adjusted[setting];
    const change = readChange(key, value);
    if (change === undefined) {
      adjusted[setting] = value;
      left = left.filter((one) => !Object.keys(one).some((other) => settingOf(other) === setting));
    } else if (typeof old === change.of) adjusted[setting] = change.from(old as never);
    else if (change.of === 'number' || !left.some((one) => one[key] === value))
      left = [...left, { [key]: value }];
  }
  return { ...adjusted, ...(left.length > 0 && { adjust: left }) } as unknown as ImageRequest;
}

/**
 * The request with what the server's side has (`own`) put in where it is left out, and the changes that waited
 * for that applied. A change that still waits has nothing to count from there.
 */
export function settle<Own extends Partial<ImageRequest>>(
  request: ImageRequest,
  own: Own,
): ImageRequest & Own {
  const { adjust: waiting = [], ...said } = request;
  return waiting.reduce<ImageRequest>(adjust, { ...own, ...said }) as ImageRequest & Own;
}

/** The setting that a key of `adjust` changes: `prompt_append` is the prompt's. */
export function settingOf(key: string): string {
  return textChange.exec(key)?.[1] ?? key;
}

type Change =
  { of: 'string'; from: (old: string) => string } | { of: 'number'; from: (old: number) => number };

/** Undefined where the value takes the place of the old one, whatever that is. */
function readChange(key: string, value: Json): Change | undefined {
  if (typeof value !== 'string') return undefined;
  const [, , how] = textChange.exec(key) ?? [];
  if (how === 'append' || how === 'prepend')
    return { of: 'string', from: (old) => changeText(old, how, value) };
  const match = key in bounds ? change.exec(value.trim()) : null;
  return match ? { of: 'number', from: (old) => changeNumber(key, old, match) } : undefined;
}

function changeText(old: string, how: 'append' | 'prepend', text: string): string {
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
