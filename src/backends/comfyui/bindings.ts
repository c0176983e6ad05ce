import { ConfigError } from '../../errors.js';
import { near } from '../near.js';
import { linkOf, nodeName, upstream, upstreamOf, type Graph, type Target } from './graph.js';

/** What can be filled into a workflow. Named as in the pipeline file. */
export const settings = [
  'prompt',
  'negative_prompt',
  'seed',
  'width',
  'height',
  'steps',
  'cfg_scale',
  'sampler',
  'scheduler',
  'checkpoint',
  'vae',
  'clip_skip',
  'denoising_strength',
  'init_image',
  'mask',
  'batch_size',
  'filename_prefix',
] as const;
export type Setting = (typeof settings)[number];

/** The inputs that each setting goes to. A setting that the workflow does not take is not there. */
export type Bindings = { [setting in Setting]?: Target[] };

/** Where each setting goes: `explicit` first, the rest by following the links back from the samplers. */
export function findBindings(graph: Graph, explicit: { [setting: string]: string }, path: string): Bindings {
  const given: Bindings = {};
  for (const [setting, target] of Object.entries(explicit)) {
    if (!isSetting(setting)) {
      throw new ConfigError(
        `bindings of ${path}: there is no setting "${setting}".${didYouMean(near(setting, settings))}`,
      );
    }
    const { target: found, problem } = readTarget(graph, target);
    if (found === undefined) throw new ConfigError(`bindings of ${path}: ${setting}: ${problem}`);
    given[setting] = [found];
  }
  const bindings = { ...discover(graph, given.filename_prefix?.[0]?.node), ...given };
  const needed: Setting[] = samplersOf(graph, Object.keys(graph)).length > 0 ? ['prompt', 'seed'] : ['seed'];
  for (const setting of needed) {
    if (bindings[setting] !== undefined) continue;
    throw new ConfigError(
      `${path}: no node is seen to take the ${setting}. Say which input it is, for example bindings: { ${setting}: "3.inputs.${setting === 'seed' ? 'seed' : 'text'}" }.`,
    );
  }
  return bindings;
}

/** Reads `"3.inputs.seed"`, or says in words why it leads nowhere. */
export function readTarget(
  graph: Graph,
  text: string,
): { target: Target; problem?: never } | { target?: never; problem: string } {
  const [, node = '', input = ''] = /^(.+?)\.inputs\.(.+)$/.exec(text) ?? [];
  if (node === '')
    return { problem: `"${text}" must be written as NODE.inputs.NAME, as in "3.inputs.seed".` };
  const inputs = graph[node]?.inputs;
  if (inputs === undefined) {
    const names = Object.keys(graph).map((id) => nodeName(graph, id).replace(/^node /, ''));
    return { problem: `there is no node ${node}; there are ${names.slice(0, 20).join(', ')}.` };
  }
  if (inputs[input] === undefined) {
    const alike = near(input, Object.keys(inputs));
    const hint = didYouMean(alike.map((name) => `${node}.inputs.${name}`));
    return { problem: `${nodeName(graph, node)} has no input "${input}".${hint}` };
  }
  return { target: { node, input } };
}

/** A line for each setting: `seed -> node 3 (KSampler), input seed`. */
export function describeBindings({ graph, bindings }: { graph: Graph; bindings: Bindings }): string[] {
  return settings.flatMap((setting) =>
    (bindings[setting] ?? []).map(
      ({ node, input }) => `${setting} -> ${nodeName(graph, node)}, input ${input}`,
    ),
  );
}

export function didYouMean(names: readonly string[]): string {
  return names.length === 0 ? '' : ` Did you mean ${names.join(', or ')}?`;
}

function isSetting(name: string): name is Setting {
  return (settings as readonly string[]).includes(name);
}

/** The node whose picture is the result: of several that save one, the one that most nodes lead to. */
function findOutput(graph: Graph): string | undefined {
  const saving = Object.keys(graph).filter((id) => has(graph, id, 'filename_prefix'));
  const size = new Map(saving.map((id) => [id, upstream(graph, id).length]));
  return saving.sort((a, b) => (size.get(b) ?? 0) - (size.get(a) ?? 0))[0];
}

/** KSampler and its kin by their shape: a seed and conditioning, or a guider and noise. Custom nodes share it. */
export function samplersOf(graph: Graph, ids: readonly string[]): string[] {
  return ids.filter(
    (id) =>
      (has(graph, id, 'guider') && has(graph, id, 'noise')) ||
      (has(graph, id, 'positive') && (has(graph, id, 'seed') || has(graph, id, 'noise_seed'))),
  );
}

function discover(graph: Graph, givenOutput: string | undefined): Bindings {
  const output = givenOutput ?? findOutput(graph);
  const used = output === undefined ? Object.keys(graph) : upstream(graph, output);
  const samplers = samplersOf(graph, used);
  // The first pass: what it samples from comes from no other sampler.
  const first = samplers.find((id) => samplersOf(graph, upstream(graph, id).slice(1)).length === 0);
  return withoutEmpty({
    ...(first !== undefined && ofSampler(graph, first, samplers)),
    vae: firstWith(graph, used, 'vae_name'),
    clip_skip: firstWith(graph, used, 'stop_at_clip_layer'),
    init_image: findInitImage(graph, first, used),
    mask: used
      .filter((id) => graph[id]?.class_type === 'LoadImageMask')
      .flatMap((id) => at(graph, id, 'image')),
    filename_prefix: output === undefined ? [] : at(graph, output, 'filename_prefix'),
  });
}

function ofSampler(graph: Graph, first: string, samplers: readonly string[]): { [S in Setting]?: Target[] } {
  const prompt = texts(graph, first, 'positive');
  const negative = texts(graph, first, 'negative').filter(
    (target) => !prompt.some((one) => same(one, target)),
  );
  const sameTextAs = (targets: Target[], input: 'positive' | 'negative') => {
    const words = new Set(targets.map((target) => valueAt(graph, target)));
    // A later pass with words of its own (a hand detailer's "perfect hand") keeps them.
    const later = samplers.filter((id) => id !== first).flatMap((id) => texts(graph, id, input));
    const alike = later.filter((target) => words.has(valueAt(graph, target)));
    return distinct([...targets, ...alike]);
  };
  const latent = upstreamOf(graph, first, 'latent_image');
  const empty = latent.find(
    (id) => has(graph, id, 'width') && has(graph, id, 'height') && !hasPicture(graph, id),
  );
  const isAdvanced = has(graph, first, 'end_at_step');
  return {
    prompt: sameTextAs(prompt, 'positive'),
    negative_prompt: sameTextAs(negative, 'negative').filter(
      (target) => !prompt.some((one) => same(one, target)),
    ),
    seed: distinct(samplers.flatMap((id) => setting(graph, id, 'noise', ['seed', 'noise_seed']))),
    // The passes of one schedule (a base and its refiner) must agree on how many steps it has.
    steps: distinct(
      (isAdvanced ? samplers.filter((id) => has(graph, id, 'end_at_step')) : [first]).flatMap((id) =>
        setting(graph, id, 'sigmas', ['steps']),
      ),
    ),
    cfg_scale: setting(graph, first, 'guider', ['cfg']),
    sampler: setting(graph, first, 'sampler', ['sampler_name']),
    scheduler: setting(graph, first, 'sigmas', ['scheduler']),
    checkpoint: findCheckpoint(graph, first),
    // Less than full denoising of an empty latent would leave noise in the picture.
    denoising_strength: empty === undefined ? setting(graph, first, 'sigmas', ['denoise']) : [],
    width: empty === undefined ? [] : at(graph, empty, 'width'),
    height: empty === undefined ? [] : at(graph, empty, 'height'),
    batch_size: empty === undefined ? [] : at(graph, empty, 'batch_size'),
  };
}

/** An input of the sampler itself, or of the nodes behind its input `via` (SamplerCustomAdvanced). */
function setting(graph: Graph, sampler: string, via: string, names: readonly string[]): Target[] {
  for (const id of [sampler, ...upstreamOf(graph, sampler, via)]) {
    for (const name of names) {
      const found = at(graph, id, name);
      if (found.length > 0) return found;
    }
  }
  return [];
}

function findCheckpoint(graph: Graph, sampler: string): Target[] {
  const guider = linkOf(graph[sampler]?.inputs['guider'])?.node ?? sampler;
  const models = upstreamOf(graph, guider, 'model');
  return (
    [firstWith(graph, models, 'ckpt_name'), firstWith(graph, models, 'unet_name')].find(
      (one) => one.length,
    ) ?? []
  );
}

/** A picture to start from: the one that the latent is made of, or else the only one there is. */
function findInitImage(graph: Graph, sampler: string | undefined, used: readonly string[]): Target[] {
  const isLoader = (id: string) =>
    has(graph, id, 'image') && /^LoadImage(?!Mask)/.test(graph[id]?.class_type ?? '');
  const before =
    sampler === undefined
      ? []
      : [...upstreamOf(graph, sampler, 'latent_image'), ...upstreamOf(graph, sampler, 'image')];
  const found = before.find(isLoader);
  if (found !== undefined) return at(graph, found, 'image');
  const loaders = used.filter(isLoader);
  const hasEmptyLatent = before.some((id) => has(graph, id, 'width') && has(graph, id, 'height'));
  return loaders.length === 1 && !hasEmptyLatent ? at(graph, loaders[0] ?? '', 'image') : [];
}

const textInputs = [
  'text',
  'text_g',
  'text_l',
  'clip_l',
  'clip_g',
  't5xxl',
  'bert',
  'mt5xl',
  'llama',
  'prompt',
];

/** The texts behind a sampler's conditioning, through every node that only changes conditioning. */
function texts(graph: Graph, sampler: string, input: 'positive' | 'negative'): Target[] {
  const guider = linkOf(graph[sampler]?.inputs['guider'])?.node ?? sampler;
  // BasicGuider and most of Flux know no negative prompt.
  const name = input === 'positive' && !has(graph, guider, 'positive') ? 'conditioning' : input;
  return encoderBehind(graph, guider, name, new Set());
}

function encoderBehind(graph: Graph, id: string, input: string, seen: Set<string>): Target[] {
  const link = linkOf(graph[id]?.inputs[input]);
  if (link === undefined || seen.has(link.node)) return [];
  const node = graph[link.node];
  // ConditioningZeroOut throws the words away.
  if (node === undefined || node.class_type === 'ConditioningZeroOut') return [];
  seen.add(link.node);
  const own = textInputs.filter((name) => has(graph, link.node, name));
  if (has(graph, link.node, 'clip') && own.length > 0) {
    return own.flatMap((name) => at(graph, link.node, name));
  }
  // Nodes that take both hand them on in that order: ControlNetApplyAdvanced, InpaintModelConditioning.
  const both = has(graph, link.node, 'positive') && has(graph, link.node, 'negative');
  const inputs = both ? [link.output === 1 ? 'negative' : 'positive'] : Object.keys(node.inputs);
  for (const name of inputs) {
    const found = encoderBehind(graph, link.node, name, seen);
    if (found.length > 0) return found;
  }
  return [];
}

const handedOnAs = ['value', 'text', 'string', 'prompt', 'seed', 'int', 'float', 'number'];

/** Where an input's value is written: there, or in a node that only hands it on (a primitive, a text box). */
function at(graph: Graph, node: string, input: string, depth = 0): Target[] {
  const value = graph[node]?.inputs[input];
  if (value === undefined || depth > 20) return [];
  const source = linkOf(value)?.node;
  if (source === undefined) return [{ node, input }];
  const name = [input, ...handedOnAs].find((one) => has(graph, source, one));
  return name === undefined ? [] : at(graph, source, name, depth + 1);
}

function firstWith(graph: Graph, ids: readonly string[], input: string): Target[] {
  const id = ids.find((one) => has(graph, one, input));
  return id === undefined ? [] : at(graph, id, input);
}

function has(graph: Graph, id: string, input: string): boolean {
  return graph[id]?.inputs[input] !== undefined;
}

/** Nodes that scale have a size too, but of another picture. */
function hasPicture(graph: Graph, id: string): boolean {
  return ['samples', 'pixels', 'image'].some((input) => has(graph, id, input));
}

function valueAt(graph: Graph, { node, input }: Target): unknown {
  return graph[node]?.inputs[input];
}

const same = (a: Target, b: Target) => a.node === b.node && a.input === b.input;

function distinct(targets: readonly Target[]): Target[] {
  return targets.filter((target, place) => targets.findIndex((one) => same(one, target)) === place);
}

function withoutEmpty(bindings: Bindings): Bindings {
  return Object.fromEntries(Object.entries(bindings).filter(([, targets]) => targets.length > 0));
}
