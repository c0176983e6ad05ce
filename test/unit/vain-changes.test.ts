import { expect, it } from 'vitest';
import { adjustedBy } from '../../src/loop/index.js';
import { vainChanges } from '../../src/runtime/vain.js';

const ladder = [
  { new_seed: true as const },
  { adjust: { cfg_scale: '+1', prompt_append: 'detailed hands' } },
  { adjust: { cfg_scale: '+1', steps: 40 } },
];

it('the settings that a ladder changes are named once each, prompts without how', () => {
  expect(adjustedBy(ladder)).toEqual(['cfg_scale', 'prompt', 'steps']);
});

it('a backend that does not take what the ladder changes is named, and no other', () => {
  const backends = [
    { name: 'flux', unbound: ['negative_prompt', 'steps', 'cfg_scale'] },
    { name: 'sd15', unbound: ['vae'] },
    { name: 'a1111' },
  ];
  expect(vainChanges(ladder, backends)).toEqual([
    expect.stringMatching(/^flux: its workflow does not take cfg_scale, steps, which the ladder changes/),
  ]);
  expect(vainChanges([{ new_seed: true }], backends)).toEqual([]);
});
