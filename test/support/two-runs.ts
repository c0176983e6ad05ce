import type { SketchServer } from '../../sketch/index.js';
import { tinyModel } from './workspace.js';

/** How many images each server makes at a time. */
export const slots = 2;

/** A pipeline of one of several runs that name the same servers. */
export const sharingPipeline = (
  name: string,
  seed: number,
  shots: number,
  servers: readonly SketchServer[],
) => ({
  name,
  seed,
  backends: servers.map(({ url }, place) => ({ name: `server${place}`, kind: 'a1111', url, slots })),
  generate: { width: 64, height: 64, steps: 4 },
  prompts: [{ text: 'a {soft|hard} hand', count: shots }],
  gate: { model: tinyModel },
  retry: { attempts: 3, ladder: ['new_seed', { adjust: { cfg_scale: '+1' } }] },
  output: { dir: 'out' },
});
