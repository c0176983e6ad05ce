import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeBindings } from '../../src/backends/comfyui/bindings.js';
import { readWorkflow } from '../../src/backends/comfyui/workflow.js';
import { ConfigError } from '../../src/errors.js';
import { loadPipeline } from '../../src/pipeline/index.js';
import { flux, textToImage } from '../support/sketch-graphs.js';
import { bound, read, refusal } from '../support/workflows.js';

const t2i = textToImage(1, 'x');

describe('a workflow file', () => {
  it('that the editor saved is refused, and it says how to export another one', () => {
    const ui = { last_node_id: 9, nodes: [{ id: 3, type: 'KSampler' }], links: [], version: 0.4 };
    expect(refusal(() => read(ui))).toMatch(/hands\.api\.json.*File > Export \(API\)/);
  });

  it.each([
    ['[]', /must be a JSON object of nodes/],
    ['{}', /no nodes/],
    ['{"3": {"inputs": {}}}', /node 3 has no class_type/],
    ['{"3": 1}', /node 3 has no class_type/],
    ['{"3": ', /no JSON/],
    ['{"3": {"class_type": "KSampler", "inputs": {"model": ["4", 0]}}}', /node 4, which is not there/],
  ])('%s is refused', (text, words) => {
    expect(refusal(() => readWorkflow({ text, path: 'w.json' }))).toMatch(words);
  });

  it('with NaN in an input is refused by the name of node and input', () => {
    const text = JSON.stringify(t2i).replace('"cfg":7', '"cfg":NaN');
    expect(refusal(() => readWorkflow({ text, path: 'w.json' }))).toMatch(
      /input cfg of node 3 \(KSampler\) is NaN/,
    );
  });

  it('with NaN in what the server noted beside the inputs is read, and the note dropped', () => {
    const text = JSON.stringify(t2i).replace(
      '"class_type":"KSampler"',
      '"is_changed":[NaN],"class_type":"KSampler"',
    );
    expect(readWorkflow({ text, path: 'w.json' }).graph['3']).not.toHaveProperty('is_changed');
  });

  it('keeps a seed beyond 2^53 to the last digit, and leaves text alone', () => {
    const graph = textToImage('SEED', 'x');
    graph['6']!.inputs['text'] = 'NaN of 18446744073709551615';
    const text = JSON.stringify(graph).replace('"SEED"', '18446744073709551615');
    const { graph: kept } = readWorkflow({ text, path: 'w.json' });
    expect(kept['3']?.inputs['seed']).toBe('18446744073709551615');
    expect(kept['6']?.inputs['text']).toBe('NaN of 18446744073709551615');
  });

  it.each(['0.30000000000000004', '1e-16', '1234567890123456.5', '0.1234567890123456e-7'])(
    'keeps a fraction as it stands: %s',
    (number) => {
      const text = JSON.stringify(t2i).replace('"denoise":1', `"denoise":${number}`);
      expect(readWorkflow({ text, path: 'w.json' }).graph['3']?.inputs['denoise']).toBe(Number(number));
    },
  );

  it('is read without the notes that tools keep beside the nodes', () => {
    expect(read({ ...t2i, _comment: 'mine', tool: { title: 'x' } }).graph).toEqual(t2i);
  });

  it('is read out of what was posted to the API', () => {
    expect(read({ client_id: 'x', prompt: t2i }).graph).toEqual(t2i);
  });

  it('of the examples is read, as the example pipeline names it', async () => {
    const file = join(import.meta.dirname, '../../config/comfyui.yaml');
    const { backends } = await loadPipeline(file, { env: {} });
    const [backend] = backends;
    if (backend?.kind !== 'comfyui') throw new Error('the example has no ComfyUI');
    const text = await readFile(backend.workflow, 'utf8');
    const workflow = readWorkflow({ text, path: backend.workflow }, backend.bindings);
    expect(describeBindings(workflow)).toContain('seed -> node 3 (KSampler), input seed');
  });

  it('is told with the settings that it does not take', () => {
    expect(describeBindings(read(flux(1, 'x'))).at(-1)).toBe(
      'not taken by the workflow: negative_prompt, cfg_scale, clip_skip, denoising_strength, init_image, mask',
    );
  });
});

it('any JSON is a workflow or a ConfigError, and links in circles end', () => {
  const link = fc.tuple(fc.constantFrom('1', '2', '3', '4'), fc.nat(2));
  const names = [
    'positive',
    'negative',
    'seed',
    'guider',
    'noise',
    'latent_image',
    'model',
    'clip',
    'text',
    'image',
  ];
  const inputs = fc.dictionary(
    fc.constantFrom(...names, 'width', 'filename_prefix'),
    fc.oneof(link, fc.nat(), fc.string()),
  );
  const node = fc.record({ class_type: fc.constantFrom('KSampler', 'LoadImage', 'CLIPTextEncode'), inputs });
  const graph = fc.record({ '1': node, '2': node, '3': node, '4': node });
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), graph), (value) => {
      try {
        const { bindings, graph } = read(value);
        for (const { node, input } of Object.values(bindings).flat()) {
          expect(graph[node]?.inputs).toHaveProperty([input]);
        }
        for (const { node, input } of [...(bindings.prompt ?? []), ...(bindings.width ?? [])]) {
          expect(Array.isArray(graph[node]?.inputs[input])).toBe(false);
        }
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});

describe('bindings that are written', () => {
  it('go before those that are found', () => {
    expect(bound(t2i, { seed: '5.inputs.width', cfg_scale: '3.inputs.denoise' })).toMatchObject({
      seed: '5.width',
      cfg_scale: '3.denoise',
      prompt: '6.text',
    });
  });

  it.each([
    [
      'a setting that is none',
      { cfg_scal: '3.inputs.cfg' },
      /no setting "cfg_scal"\. Did you mean cfg_scale/,
    ],
    [
      'a node that is not there',
      { seed: '33.inputs.seed' },
      /seed: there is no node 33; there are 3 \(KSampler\)/,
    ],
    [
      'an input that is not there',
      { seed: '3.inputs.sed' },
      /has no input "sed"\. Did you mean 3\.inputs\.seed/,
    ],
    ['something else', { seed: 'the seed' }, /must be written as NODE\.inputs\.NAME/],
  ])('to %s are refused', (_, bindings, words) => {
    expect(refusal(() => read(t2i, bindings))).toMatch(words);
  });

  it('are asked for where the seed cannot be seen: the same image would come again and again', () => {
    const graph = {
      '1': { class_type: 'EmptyImage', inputs: { width: 64, height: 64, batch_size: 1, color: 0 } },
      '2': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'x' } },
    };
    expect(refusal(() => read(graph))).toMatch(/no node is seen to take the seed.*the same image again/);
    expect(bound(graph, { seed: '1.inputs.color' })).toEqual({
      seed: '1.color',
      filename_prefix: '2.filename_prefix',
      batch_size: '1.batch_size',
    });
  });
});
