import { describe, expect, it } from 'vitest';
import { warningsOf } from '../../src/backends/comfyui/bindings.js';
import { fill } from '../../src/backends/comfyui/mapping.js';
import { describeLacks } from '../../src/backends/index.js';
import type { ImageRequest } from '../../src/loop/index.js';
import { readWorkflow } from '../../src/backends/comfyui/workflow.js';
import { textToImage, type TestGraph } from '../support/sketch-graphs.js';
import { changed, read, refusal, rewired } from '../support/workflows.js';

const request: ImageRequest = { prompt: 'a hand', seed: 1 };
const plain = textToImage(1, 'x');
const filled = (graph: TestGraph, comfyui?: ImageRequest['comfyui']) =>
  fill({ ...request, ...(comfyui && { comfyui }) }, read(graph), { filenamePrefix: 'p' });

describe('a workflow that makes a batch makes one image of it', () => {
  it.each<[string, TestGraph, string, string]>([
    ['a number', rewired(plain, '5', { batch_size: 4 }), '5', 'batch_size'],
    [
      'a box, which may be the steps as well',
      rewired(
        rewired(changed(plain, { '60': { class_type: 'PrimitiveInt', inputs: { value: 4 } } }), '5', {
          batch_size: ['60', 0],
        }),
        '3',
        {
          steps: ['60', 0],
        },
      ),
      '5',
      'batch_size',
    ],
    [
      'a sum',
      rewired(
        changed(plain, { '60': { class_type: 'MathExpression', inputs: { expression: 'a+b', a: 1, b: 2 } } }),
        '5',
        {
          batch_size: ['60', 0],
        },
      ),
      '5',
      'batch_size',
    ],
    [
      'a latent repeated',
      rewired(
        changed(plain, {
          '60': { class_type: 'RepeatLatentBatch', inputs: { samples: ['5', 0], amount: 3 } },
        }),
        '3',
        {
          latent_image: ['60', 0],
        },
      ),
      '60',
      'amount',
    ],
    [
      'a latent by its shape, of a custom node',
      rewired(
        changed(plain, {
          '5': { class_type: 'SDXLEmptyLatentSizePicker+', inputs: { resolution: '1:1', batch_size: 2 } },
        }),
        '3',
        {
          latent_image: ['5', 0],
        },
      ),
      '5',
      'batch_size',
    ],
  ])('%s', (_, graph, node, input) => {
    const { graph: sent, lacks } = filled(graph);
    expect(lacks).toEqual([]);
    expect(sent[node]?.inputs[input]).toBe(1);
    if (graph['60']?.class_type === 'PrimitiveInt') expect(sent['60']?.inputs['value']).toBe(4);
  });

  it('unless a field asks for several: that is refused before anything is sent', () => {
    expect(describeLacks(filled(plain, { '5.inputs.batch_size': 4 }).lacks)).toBe(
      'no way to make several images at once "5.inputs.batch_size: 4": take it out, and say with \'count\' how many',
    );
    expect(filled(plain, { '5.inputs.batch_size': 1 }).lacks).toEqual([]);
  });
});

describe('a workflow that keeps no images', () => {
  const bare = (graph: TestGraph, bindings = {}) =>
    readWorkflow({ text: JSON.stringify(graph), path: 'hands.api.json' }, bindings, false);

  it('shows them instead, also those that nobody looks at and those that a person named', () => {
    const two = changed(plain, {
      '19': { class_type: 'Image Save', inputs: { filename_prefix: 'x', images: ['8', 0] } },
    });
    const { graph, output, folder, bindings } = bare(two, { filename_prefix: '19.inputs.filename_prefix' });
    expect([output, folder, bindings.filename_prefix]).toEqual(['19', 'temp', undefined]);
    for (const id of ['9', '19'])
      expect(graph[id]).toEqual({ class_type: 'PreviewImage', inputs: { images: ['8', 0] } });
  });

  it('must have savers that can be left out', () => {
    const sampler = { ...plain['3']!.inputs, image_output: 'Save', save_prefix: 'x' };
    const own = changed(plain, { '3': { class_type: 'KSampler (Efficient)', inputs: sampler } });
    expect(refusal(() => bare(own))).toMatch(/keep_images is false, and node 3 .* in a way of its own/);
  });
});

describe('several savers', () => {
  const save = (images: [string, number]) => ({
    class_type: 'SaveImage',
    inputs: { filename_prefix: 'x', images },
  });
  const decode = (samples: [string, number]) => ({
    class_type: 'VAEDecode',
    inputs: { samples, vae: ['4', 2] },
  });
  const second = changed(plain, {
    '13': { class_type: 'KSampler', inputs: { ...plain['3']!.inputs, seed: 2 } },
    '18': decode(['13', 0]),
    '19': save(['18', 0]),
  });

  it('of images that different samplers make are refused, unless a person says which one counts', () => {
    expect(refusal(() => read(second))).toMatch(
      /makes several images: node 9 .*, node 19 .*filename_prefix: "9\.inputs\.filename_prefix"/,
    );
    expect(read(second, { filename_prefix: '19.inputs.filename_prefix' }).output).toBe('19');
  });

  it('of an image on the way, or of the same one again, are no harm: the former is told', () => {
    const upscaled = changed(plain, {
      '18': { class_type: 'ImageScaleBy', inputs: { image: ['8', 0], upscale_method: 'area', scale_by: 2 } },
      '19': save(['18', 0]),
    });
    expect(warningsOf(read(upscaled), [])).toEqual([
      expect.stringMatching(
        /^the picture of node 19 \(SaveImage\) is looked at, and not what node 9 .*saves/,
      ),
    ]);
    const named = read(upscaled, { filename_prefix: '9.inputs.filename_prefix' });
    expect(warningsOf(named, [])).toEqual([]);
    expect(warningsOf(read(changed(plain, { '19': save(['8', 0]) })), [])).toEqual([]);
  });
});
