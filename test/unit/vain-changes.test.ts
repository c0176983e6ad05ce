import { expect, it } from 'vitest';
import { adjustedBy } from '../../src/loop/index.js';
import { vainSettings } from '../../src/runtime/vain.js';

const ladder = [
  { kind: 'new_seed' as const },
  { kind: 'adjust' as const, adjust: { cfg_scale: '+1', prompt_append: 'detailed hands' } },
  { kind: 'adjust' as const, adjust: { cfg_scale: '+1', steps: 40 } },
];

it('the settings that a ladder changes are named once each, prompts without how', () => {
  expect(adjustedBy(ladder)).toEqual(['cfg_scale', 'prompt', 'steps']);
});

it('every backend is asked what it says of the settings that pipeline and ladder name', () => {
  const pipeline = {
    generate: { negative_prompt: 'blurry' },
    prompts: [{ text: 'a hand', width: 512, matrix: { sampler: ['a', 'b'] } }],
    retry: { attempts: 3, ladder, on_exhausted: 'discard' as const },
  };
  const asked: string[] = [];
  const backends = [
    {
      name: 'flux',
      warnings: (settings: readonly string[]) => (asked.push(...settings), ['takes no steps.']),
    },
    { name: 'a1111' },
  ];
  expect(vainSettings(pipeline, backends)).toEqual(['flux: takes no steps.']);
  for (const setting of ['negative_prompt', 'width', 'sampler', 'cfg_scale', 'steps'])
    expect(asked).toContain(setting);
});
