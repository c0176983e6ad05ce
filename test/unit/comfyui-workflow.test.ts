import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeBindings } from '../../src/backends/comfyui/bindings.js';
import { readWorkflow } from '../../src/backends/comfyui/workflow.js';
import { ConfigError } from '../../src/errors.js';
import { loadPipeline } from '../../src/pipeline/index.js';
import { flux, repairGraph, textToImage, type TestGraph } from '../support/sketch-graphs.js';

const read = (graph: unknown, bindings?: Record<string, string>) =>
  readWorkflow({ text: JSON.stringify(graph), path: 'hands.api.json' }, bindings);

const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error('nothing was refused');
};

/** `setting: 3.seed, 7.seed` a line, as short as a test wants it. */
const bound = (graph: unknown, bindings?: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(read(graph, bindings).bindings).map(([setting, targets]) => [
      setting,
      targets.map(({ node, input }) => `${node}.${input}`).join(', '),
    ]),
  );

/** A graph with nodes changed or added; null takes one away. */
const changed = (graph: TestGraph, nodes: Record<string, TestGraph[string] | null>): TestGraph =>
  Object.fromEntries(
    Object.entries({ ...graph, ...nodes }).filter(
      (entry): entry is [string, TestGraph[string]] => entry[1] !== null,
    ),
  );

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

  it('of the examples is read, as the example pipeline names it', async () => {
    const file = join(import.meta.dirname, '../../config/comfyui.yaml');
    const { backends } = await loadPipeline(file, { env: {} });
    const [backend] = backends;
    if (backend?.kind !== 'comfyui') throw new Error('the example has no ComfyUI');
    const text = await readFile(backend.workflow, 'utf8');
    const workflow = readWorkflow({ text, path: backend.workflow }, backend.bindings);
    expect(describeBindings(workflow)).toContain('seed -> node 3 (KSampler), input seed');
  });
});

describe('bindings are found', () => {
  it('in the usual graph', () => {
    expect(bound(t2i)).toEqual({
      prompt: '6.text',
      negative_prompt: '7.text',
      seed: '3.seed',
      steps: '3.steps',
      cfg_scale: '3.cfg',
      sampler: '3.sampler_name',
      scheduler: '3.scheduler',
      checkpoint: '4.ckpt_name',
      width: '5.width',
      height: '5.height',
      batch_size: '5.batch_size',
      filename_prefix: '9.filename_prefix',
    });
  });

  it('through Flux: guider, noise, sigmas, two texts in one encoder', () => {
    expect(bound(flux(1, 'x'))).toEqual({
      prompt: '6.clip_l, 6.t5xxl',
      seed: '25.noise_seed',
      steps: '17.steps',
      sampler: '16.sampler_name',
      scheduler: '17.scheduler',
      checkpoint: '12.unet_name',
      vae: '10.vae_name',
      width: '27.width',
      height: '27.height',
      batch_size: '27.batch_size',
      filename_prefix: '9.filename_prefix',
    });
  });

  it('through CFGGuider, with its cfg and both prompts', () => {
    const graph = changed(flux(1, 'x'), {
      '22': {
        class_type: 'CFGGuider',
        inputs: { model: ['12', 0], positive: ['6', 0], negative: ['7', 0], cfg: 3 },
      },
      '7': { class_type: 'CLIPTextEncode', inputs: { clip: ['11', 0], text: 'bad' } },
    });
    expect(bound(graph)).toMatchObject({
      prompt: '6.clip_l, 6.t5xxl',
      negative_prompt: '7.text',
      cfg_scale: '22.cfg',
    });
  });

  it('through conditioning that is only changed: ControlNet hands both prompts on in order', () => {
    const graph = changed(t2i, {
      '3': { ...t2i['3']!, inputs: { ...t2i['3']!.inputs, positive: ['30', 0], negative: ['30', 1] } },
      '30': {
        class_type: 'ControlNetApplyAdvanced',
        inputs: { positive: ['31', 0], negative: ['7', 0], strength: 1 },
      },
      '31': { class_type: 'ConditioningSetArea', inputs: { conditioning: ['6', 0], width: 64, height: 64 } },
    });
    expect(bound(graph)).toMatchObject({ prompt: '6.text', negative_prompt: '7.text', width: '5.width' });
  });

  it('not for a negative prompt whose words are thrown away', () => {
    const graph = changed(t2i, {
      '7': { class_type: 'ConditioningZeroOut', inputs: { conditioning: ['6', 0] } },
    });
    expect(bound(graph)).not.toHaveProperty('negative_prompt');
  });

  it('in SDXL encoders, LoRA chains, clip skip and a VAE of its own', () => {
    const graph = changed(t2i, {
      '3': { ...t2i['3']!, inputs: { ...t2i['3']!.inputs, model: ['20', 0] } },
      '6': {
        class_type: 'CLIPTextEncodeSDXL',
        inputs: { clip: ['21', 0], width: 1024, height: 1024, text_g: 'a', text_l: 'a' },
      },
      '8': { class_type: 'VAEDecode', inputs: { samples: ['3', 0], vae: ['22', 0] } },
      '20': { class_type: 'LoraLoader', inputs: { model: ['4', 0], clip: ['4', 1], lora_name: 'l' } },
      '21': { class_type: 'CLIPSetLastLayer', inputs: { clip: ['20', 1], stop_at_clip_layer: -1 } },
      '22': { class_type: 'VAELoader', inputs: { vae_name: 'v' } },
    });
    expect(bound(graph)).toMatchObject({
      prompt: '6.text_g, 6.text_l',
      checkpoint: '4.ckpt_name',
      clip_skip: '21.stop_at_clip_layer',
      vae: '22.vae_name',
      width: '5.width',
    });
  });

  it('of two passes: both seeds, the first one’s settings, and the texts that say the same', () => {
    const graph = changed(t2i, {
      '8': { class_type: 'VAEDecode', inputs: { samples: ['41', 0], vae: ['4', 2] } },
      '40': {
        class_type: 'LatentUpscaleBy',
        inputs: { samples: ['3', 0], upscale_method: 'area', scale_by: 2 },
      },
      '41': {
        ...t2i['3']!,
        inputs: {
          ...t2i['3']!.inputs,
          latent_image: ['40', 0],
          positive: ['42', 0],
          negative: ['43', 0],
          denoise: 0.5,
        },
      },
      '42': { class_type: 'CLIPTextEncode', inputs: { text: 'a hand', clip: ['4', 1] } },
      '43': { class_type: 'CLIPTextEncode', inputs: { text: 'its own', clip: ['4', 1] } },
    });
    const found = bound(graph);
    expect(found).toMatchObject({
      prompt: '6.text, 42.text',
      negative_prompt: '7.text',
      steps: '3.steps',
      width: '5.width',
    });
    expect(found['seed']?.split(', ').sort()).toEqual(['3.seed', '41.seed']);
  });

  it('where a value is written: in the primitive or text box that an input is linked to', () => {
    const graph = changed(t2i, {
      '3': { ...t2i['3']!, inputs: { ...t2i['3']!.inputs, seed: ['50', 0] } },
      '6': { class_type: 'CLIPTextEncode', inputs: { text: ['51', 0], clip: ['4', 1] } },
      '50': { class_type: 'PrimitiveInt', inputs: { value: 5 } },
      '51': { class_type: 'PrimitiveStringMultiline', inputs: { value: 'a hand' } },
    });
    expect(bound(graph)).toMatchObject({ seed: '50.value', prompt: '51.value' });
  });

  it('of a picture to start from, and then how much of it is denoised', () => {
    expect(bound(repairGraph('a.png', 1, 'x'))).toMatchObject({
      init_image: '20.image',
      denoising_strength: '3.denoise',
    });
    expect(bound(t2i)).not.toHaveProperty('denoising_strength');
  });

  it('survives a circle of nodes', () => {
    const graph = changed(t2i, {
      '4': { class_type: 'A', inputs: { model: ['4', 0], clip: ['4', 1] } },
    });
    expect(bound(graph)).toMatchObject({ prompt: '6.text' });
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
    expect(refusal(() => read(graph))).toMatch(/no node is seen to take the seed/);
    expect(bound(graph, { seed: '1.inputs.color' })).toEqual({
      seed: '1.color',
      filename_prefix: '2.filename_prefix',
    });
  });
});
