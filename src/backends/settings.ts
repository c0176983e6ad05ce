import { plural } from '../base/plural.js';
import type { ImageRequest, Json } from '../loop/index.js';
import type { Sent } from './port.js';

/** The settings whose value and source people ask for, in the order in which they are shown. */
export const shown = [
  'width',
  'height',
  'steps',
  'cfg_scale',
  'sampler',
  'scheduler',
  'denoising_strength',
  'checkpoint',
  'vae',
  'clip_skip',
  'negative_prompt',
] as const;
export type Shown = (typeof shown)[number];

/** What was sent for settings that a request leaves out: their changes count from there. */
export function leftOut(request: ImageRequest, sent: Partial<ImageRequest>): { [setting: string]: Json } {
  const entries = shown.flatMap((setting): [string, Json][] => {
    const value = sent[setting];
    return value === undefined || request[setting] !== undefined ? [] : [[setting, value]];
  });
  return Object.fromEntries(entries);
}

/** `steps 20 or 25 (pipeline), sampler euler (workflow), vae (the server's own)`, several requests of one backend in one. */
export function describeSent(requests: readonly (readonly Sent[])[]): string {
  const words = shown.flatMap((setting) => {
    const all = requests.flatMap((sent) => sent.filter((one) => one.setting === setting));
    return [...new Set(all.map(({ from }) => from))].map((from) => {
      const values = new Set(all.flatMap((one) => (one.from === from ? inWords(one) : [])));
      return [setting, some([...values]), `(${sources[from]})`].filter(Boolean).join(' ');
    });
  });
  return words.join(', ');
}

const some = (values: string[]): string =>
  values.length > 4
    ? `${values.slice(0, 3).join(' or ')} or ${plural(values.length - 3, 'other')}`
    : values.join(' or ');

const sources: { readonly [from in Sent['from']]: string } = {
  pipeline: 'pipeline',
  workflow: 'workflow',
  default: "reroll's default",
  server: "the server's own",
  nowhere: 'not taken by the workflow',
};

function inWords({ setting, value }: Sent): string[] {
  if (value === undefined) return [];
  const text = typeof value === 'string' && setting !== 'negative_prompt' ? value : JSON.stringify(value);
  return [text.length > 60 ? `${text.slice(0, 57)}...` : text];
}
