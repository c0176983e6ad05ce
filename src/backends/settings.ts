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

/** `steps 4 (workflow), cfg_scale 6 (pipeline), sampler (server's own)`, several requests of one backend in one. */
export function describeSent(requests: readonly (readonly Sent[])[]): string {
  const words = shown.flatMap((setting) => {
    const all = requests.flatMap((sent) => sent.filter((one) => one.setting === setting));
    const distinct = [...new Set(all.map(inWords))];
    return distinct.length > 4
      ? [...distinct.slice(0, 3), `${distinct.length - 3} more of ${setting}`]
      : distinct;
  });
  return words.join(', ');
}

const sources: { readonly [from in Sent['from']]: string } = {
  pipeline: 'pipeline',
  workflow: 'workflow',
  default: "reroll's default",
  server: "the server's own",
  nowhere: 'not taken by the workflow',
};

function inWords({ setting, value, from }: Sent): string {
  if (value === undefined) return `${setting} (${sources[from]})`;
  const text = typeof value === 'string' && setting !== 'negative_prompt' ? value : JSON.stringify(value);
  return `${setting} ${text.length > 60 ? `${text.slice(0, 57)}...` : text} (${sources[from]})`;
}
