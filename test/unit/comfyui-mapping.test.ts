import { describe, expect, it } from 'vitest';
import { filenamePrefix, fill } from '../../src/backends/comfyui/mapping.js';
import { comfySampler, comfyScheduler } from '../../src/backends/comfyui/names.js';
import { readWorkflow } from '../../src/backends/comfyui/workflow.js';
import { describeLacks } from '../../src/backends/lacks.js';
import type { ImageRequest } from '../../src/loop/index.js';
import { flux, repairGraph, textToImage } from '../support/sketch-graphs.js';
import { changed } from '../support/workflows.js';

const plain: ImageRequest = {
  prompt: 'a hand, open',
  negative_prompt: 'blurry',
  seed: 4_294_967_295,
  width: 512,
  height: 768,
  steps: 25,
  cfg_scale: 6,
};
const read = (graph: object) => readWorkflow({ text: JSON.stringify(graph), path: 'w.json' });
const t2i = read(textToImage(1, 'old'));

describe('a request becomes a graph', () => {
  it('with every setting in its place, and the workflow itself unchanged', () => {
    const before = structuredClone(t2i.graph);
    const request = { ...plain, sampler: 'DPM++ 2M', scheduler: 'Karras', checkpoint: 'c.safetensors' };
    const { graph, lacks } = fill(request, t2i, { filenamePrefix: 'new' });
    expect(lacks).toEqual([]);
    expect(graph['3']?.inputs).toMatchObject({
      seed: 4_294_967_295,
      steps: 25,
      cfg: 6,
      sampler_name: 'dpmpp_2m',
      scheduler: 'karras',
      denoise: 1,
    });
    expect(graph['4']?.inputs['ckpt_name']).toBe('c.safetensors');
    expect(graph['5']?.inputs).toEqual({ width: 512, height: 768, batch_size: 1 });
    expect(graph['6']?.inputs['text']).toBe('a hand, open');
    expect(graph['7']?.inputs['text']).toBe('blurry');
    expect(graph['9']?.inputs['filename_prefix']).toBe('new');
    expect(t2i.graph).toEqual(before);
  });

  it.each([
    ['text to image', textToImage(1, 'old')],
    ['Flux', flux(1, 'old')],
    ['a repair', repairGraph('old.png', 1, 'old')],
  ])('that differs from the workflow in the bound inputs alone: %s', (_, source) => {
    const workflow = read(source);
    const { graph } = fill(plain, workflow, { filenamePrefix: 'new' });
    for (const { node, input } of Object.values(workflow.bindings).flat()) {
      delete graph[node]?.inputs[input];
      delete source[node]?.inputs[input];
    }
    expect(graph).toEqual(source);
  });

  it('with the workflow’s own values for what it does not name', () => {
    const { graph } = fill(plain, t2i, { filenamePrefix: 'new' });
    expect(graph['3']?.inputs).toMatchObject({ sampler_name: 'euler', scheduler: 'normal' });
    expect(graph['4']?.inputs['ckpt_name']).toBe('sketch-hands-v1.safetensors');
  });

  it('with inputs of the user’s as they are, and large numbers as text', () => {
    const { graph } = fill(
      { ...plain, comfyui: { '3.inputs.denoise': 0.9, '3.inputs.seed': 2 ** 60 } },
      t2i,
      {
        filenamePrefix: 'new',
      },
    );
    expect(graph['3']?.inputs).toMatchObject({ denoise: 0.9, seed: '1152921504606846976' });
  });

  it('with a picture to start from where the workflow loads one', () => {
    const workflow = read(repairGraph('old.png', 1, 'x'));
    const parts = { filenamePrefix: 'new', initImage: 'reroll/a.png' };
    const { graph, lacks } = fill(
      { ...plain, init_image: '/a.png', denoising_strength: 0.4 },
      workflow,
      parts,
    );
    expect(lacks).toEqual([]);
    expect(graph['20']?.inputs['image']).toBe('reroll/a.png');
    expect(graph['3']?.inputs['denoise']).toBe(0.4);
  });

  it('or says what of it the workflow cannot take', () => {
    const request: ImageRequest = {
      ...plain,
      vae: 'v.safetensors',
      clip_skip: 2,
      init_image: '/a.png',
      hires: { scale: 2 },
      tiling: true,
      comfyui: { '3.inputs.sed': 1 },
    };
    const { lacks } = fill(request, t2i, { filenamePrefix: 'new' });
    expect(lacks.map(({ asked }) => asked)).toEqual([
      'vae',
      'clip_skip',
      'init_image',
      'hires',
      'tiling',
      '3.inputs.sed',
    ]);
    expect(lacks.at(-1)?.near).toEqual(['3.inputs.seed']);
  });

  it('of which a repair takes what is left to do: its candidate had pictures, mask and hires before', () => {
    const request: ImageRequest = {
      ...plain,
      init_image: '/a.png',
      mask: '/m.png',
      hires: { scale: 2 },
      tiling: true,
      prompt: 'a hand <lora:ink:1>',
    };
    const { lacks } = fill(request, read(repairGraph('old.png', 1, 'x')), {
      filenamePrefix: 'new',
      initImage: 'reroll/candidate.png',
      repairs: true,
    });
    expect(lacks.map(({ asked }) => asked)).toEqual(['tiling']);
  });

  it.each([
    ['core’s encoder', textToImage(1, 'x'), ['<lora:ink:0.8>', '<LoRA:b>']],
    ['core’s encoder for Flux', flux(1, 'x'), ['<lora:ink:0.8>', '<LoRA:b>']],
    [
      'an extension’s encoder',
      changed(textToImage(1, 'x'), {
        '6': { class_type: 'LoraTagEncode', inputs: { text: 'x', clip: ['4', 1] } },
      }),
      [],
    ],
  ])('whose prompt names LoRAs, which are but words to some: to %s', (_, graph, lacking) => {
    const prompt = 'a hand <lora:ink:0.8> <LoRA:b> <lora:ink:0.8> <3';
    const { lacks } = fill({ ...plain, prompt }, read(graph), { filenamePrefix: 'new' });
    expect(lacks.map(({ asked }) => asked)).toEqual(lacking);
    if (lacking.length > 0) {
      expect(describeLacks(lacks)).toContain(
        'no way to read "<LoRA:b>" in a prompt: add a LoraLoader node to the workflow',
      );
    }
  });

  it('but lacks nothing for settings that ask for what is there anyway', () => {
    const request = {
      ...plain,
      vae: 'Automatic',
      clip_skip: 1,
      tiling: false,
      styles: [],
      scheduler: 'Automatic',
    };
    expect(fill(request, t2i, { filenamePrefix: 'new' }).lacks).toEqual([]);
  });
});

describe('names of A1111', () => {
  it.each([
    ['DPM++ 2M', { sampler: 'dpmpp_2m' }],
    ['DPM++ 2M Karras', { sampler: 'dpmpp_2m', scheduler: 'karras' }],
    ['DPM++ 2M SDE', { sampler: 'dpmpp_2m_sde' }],
    ['euler  A', { sampler: 'euler_ancestral' }],
    ['UniPC', { sampler: 'uni_pc' }],
    ['res_multistep', { sampler: 'res_multistep' }],
    ['My Sampler Karras', { sampler: 'My Sampler Karras' }],
  ])('the sampler %s', (name, expected) => {
    expect(comfySampler(name)).toEqual(expected);
  });

  it.each([
    ['Karras', 'karras'],
    ['SGM Uniform', 'sgm_uniform'],
    ['DDIM', 'ddim_uniform'],
    ['Automatic', undefined],
    ['linear_quadratic', 'linear_quadratic'],
  ])('the scheduler %s', (name, expected) => {
    expect(comfyScheduler(name)).toBe(expected);
  });
});

it('a file name is of one attempt alone, and has nothing of a path or a variable in it', () => {
  const job = {
    request: plain,
    remoteId: '12345678-aaaa-4aaa-8aaa-aaaaaaaaaaaa',
    adopt: false,
    attempt: { run: '../%date% x', shot: 3, number: 2 },
  };
  expect(filenamePrefix(job)).toBe('reroll/_date_x/3-2-12345678');
  expect(filenamePrefix({ ...job, remoteId: '87654321-aaaa-4aaa-8aaa-aaaaaaaaaaaa' })).not.toBe(
    filenamePrefix(job),
  );
});
