import { describe, expect, it } from 'vitest';
import { fill } from '../../src/backends/comfyui/mapping.js';
import { ownSettings, sentOf } from '../../src/backends/comfyui/own.js';
import { warningsOf } from '../../src/backends/comfyui/bindings.js';
import type { Graph } from '../../src/backends/comfyui/graph.js';
import { describeSent } from '../../src/backends/index.js';
import type { ImageRequest } from '../../src/loop/index.js';
import { apiWorkflows } from '../support/api-workflows.js';
import type { TestGraph } from '../support/sketch-graphs.js';
import { read } from '../support/workflows.js';

const bare: ImageRequest = { prompt: 'PROMPT', seed: 99 };
const parts = { filenamePrefix: 'PREFIX' };
const all = Object.entries(apiWorkflows);

/** `3.seed: 1 -> 99`, an input each that differs. */
function differences(before: TestGraph, after: Graph): Record<string, unknown> {
  expect(Object.keys(after)).toEqual(Object.keys(before));
  return Object.fromEntries(
    Object.entries(before as Graph).flatMap(([id, { inputs }]) => {
      const now = after[id]?.inputs ?? {};
      expect(Object.keys(now)).toEqual(Object.keys(inputs));
      return Object.keys(inputs)
        .filter((input) => JSON.stringify(now[input]) !== JSON.stringify(inputs[input]))
        .map((input) => [`${id}.${input}`, now[input]]);
    }),
  );
}
const sent = (name: string, request: ImageRequest) => {
  const { graph } = apiWorkflows[name]!;
  const { graph: filled, lacks } = fill(request, read(graph), parts);
  expect(lacks).toEqual([]);
  return differences(graph, filled);
};
const filled = (name: string, changes: Partial<ImageRequest>) => {
  const changed = sent(name, { ...bare, ...changes });
  const { prompt, seed } = apiWorkflows[name]!;
  return Object.fromEntries(
    Object.entries(changed).filter(([place]) => ![...prompt, ...seed, '9.filename_prefix'].includes(place)),
  );
};

describe('what a pipeline does not say', () => {
  it('is tried on 20 workflows', () => expect(all).toHaveLength(20));

  it.each(all)('stays as the workflow has it: %s', (name, { prompt, seed }) => {
    expect(sent(name, bare)).toEqual({
      ...Object.fromEntries(prompt.map((place) => [place, 'PROMPT'])),
      ...Object.fromEntries(seed.map((place) => [place, 99])),
      '9.filename_prefix': 'PREFIX',
    });
  });
});

/** Nodes that hold `value` under such a name still, in a filled graph. */
const holding = (graph: Graph, names: RegExp, value: unknown) =>
  Object.entries(graph).flatMap(([id, { inputs }]) =>
    Object.entries(inputs).flatMap(([input, one]) =>
      names.test(input) && one === value ? [`${id}.${input}`] : [],
    ),
  );

describe('what a pipeline does say', () => {
  it.each(all)('is changed wherever the workflow has it, or is told: %s', (_, { graph }) => {
    const workflow = read(graph);
    const own = ownSettings(graph as Graph, workflow);
    const request = { ...bare, width: 648, height: 1304, steps: 47, cfg_scale: 11 };
    const now = fill(request, workflow, parts).graph;
    expect(holding(now, /^(target_|empty_latent_)?width$/, own.width)).toEqual([]);
    expect(holding(now, /^(target_|empty_latent_)?height$/, own.height)).toEqual([]);
    expect(holding(now, /^steps$/, own.steps)).toEqual([]);
    expect(holding(now, /^cfg$/, own.cfg_scale)).toEqual([]);
    const told = warningsOf(workflow, Object.keys(request)).join('\n');
    for (const [setting, names] of [
      ['steps', /^steps$/],
      ['width', /^width$/],
      ['cfg_scale', /^cfg$/],
    ] as const) {
      const other = Object.values(now).some(({ inputs }) =>
        Object.entries(inputs).some(
          ([input, one]) => names.test(input) && typeof one === 'number' && one !== request[setting],
        ),
      );
      if (other || workflow.bindings[setting] === undefined) expect(told).toContain(setting);
    }
  });

  it('is a size that stands in two nodes', () => {
    expect(filled('Flux dev, its size in ModelSamplingFlux too', { width: 832, height: 1216 })).toEqual({
      '27.width': 832,
      '27.height': 1216,
      '30.width': 832,
      '30.height': 1216,
    });
    expect(filled('ControlNet, its hint scaled to the size', { width: 512 })).toEqual({
      '5.width': 512,
      '30.width': 512,
    });
  });

  it('is the steps of a schedule, of which the refiner keeps its share', () => {
    expect(filled('SDXL with refiner', { steps: 40 })).toEqual({
      '10.steps': 40,
      '10.end_at_step': 32,
      '11.steps': 40,
      '11.start_at_step': 32,
    });
    expect(filled('SDXL with refiner', { steps: 2 })).toMatchObject({
      '10.end_at_step': 1,
      '11.start_at_step': 1,
    });
    expect(
      filled('several size nodes, numbers in boxes of their own, sigmas that are split', { steps: 48 }),
    ).toEqual({
      '50.value': 48,
      '31.step': 24,
    });
  });

  it('is the settings of both samplers where they are the same, and told where they are not', () => {
    const name = 'two samplers: a latent upscale and a second pass';
    expect(filled(name, { cfg_scale: 5, steps: 30 })).toEqual({ '3.cfg': 5, '41.cfg': 5, '3.steps': 30 });
    const workflow = read(apiWorkflows[name]!.graph);
    expect(warningsOf(workflow, ['steps', 'width', 'cfg_scale'])).toEqual([
      expect.stringMatching(/^steps stays 14 in node 41 \(KSampler\)\. .*"41\.inputs\.steps"/),
      expect.stringMatching(/^width stays 1024 in node 40 \(LatentUpscale\)/),
    ]);
    expect(warningsOf(workflow, ['sampler'])).toEqual([]);
  });

  it('is told where no node takes it', () => {
    const workflow = read(apiWorkflows['Flux with words for each encoder']!.graph);
    expect(warningsOf(workflow, ['cfg_scale', 'negative_prompt', 'steps'])).toEqual([
      expect.stringMatching(/does not take negative_prompt, cfg_scale\./),
    ]);
  });

  it('goes where a person’s binding says, and there alone', () => {
    const { graph } = apiWorkflows['Flux dev, its size in ModelSamplingFlux too']!;
    const workflow = read(graph, { width: '27.inputs.width' });
    expect(differences(graph, fill({ ...bare, width: 640 }, workflow, parts).graph)).not.toHaveProperty(
      '30.width',
    );
    expect(warningsOf(workflow, ['width'])).toEqual([expect.stringMatching(/^width stays 1024 in node 30/)]);
  });
});

describe('a change of what the pipeline does not say', () => {
  it('counts from the workflow’s value, and adds up', () => {
    const adjust = [
      { cfg_scale: '+1' },
      { cfg_scale: '+0.5' },
      { steps: '*2' },
      { negative_prompt_append: 'fused' },
    ];
    expect(filled('SDXL Lightning', { adjust })).toEqual({
      '3.cfg': 2.5,
      '3.steps': 8,
      '7.text': 'text, watermark, fused',
    });
    expect(filled('SDXL with refiner', { adjust: [{ steps: '+15' }] })).toMatchObject({
      '11.start_at_step': 32,
    });
    expect(filled('SD 1.5 with LoRA and clip skip', { adjust: [{ clip_skip: '+1' }] })).toEqual({
      '11.stop_at_clip_layer': -3,
    });
  });

  it('stays within what servers take', () => {
    expect(filled('SDXL Turbo', { adjust: [{ steps: '-5' }, { cfg_scale: '-9' }] })).toEqual({ '13.cfg': 0 });
  });

  it('is refused where a node computes the value', () => {
    const { graph } = apiWorkflows['SD 1.5']!;
    const computed = {
      ...graph,
      '3': { ...graph['3']!, inputs: { ...graph['3']!.inputs, cfg: ['60', 0] } },
      '60': { class_type: 'MathExpression', inputs: { expression: 'a+b', a: 1, b: 2 } },
    };
    const workflow = read(computed);
    const { lacks } = fill({ ...bare, adjust: [{ cfg_scale: '+1' }] }, workflow, parts);
    expect(lacks).toMatchObject([{ asked: 'cfg_scale' }]);
    expect(fill({ ...bare, cfg_scale: 3 }, workflow, parts).lacks).toEqual([]);
  });
});

it('each setting is shown with its value and where it comes from', () => {
  const flux = read(apiWorkflows['Flux dev, its size in ModelSamplingFlux too']!.graph);
  const words = describeSent([
    sentOf({ ...bare, steps: 30, cfg_scale: 7 }, flux),
    sentOf({ ...bare, steps: 40, cfg_scale: 7 }, flux),
  ]);
  expect(words).toBe(
    'width 1024 (workflow), height 1024 (workflow), steps 30 or 40 (pipeline), cfg_scale 7 (not taken by the workflow), sampler euler (workflow), scheduler simple (workflow), checkpoint flux1-dev.safetensors (workflow), vae ae.safetensors (workflow)',
  );
});
