import { ConfigError } from '../../errors.js';
import { near } from '../near.js';
import { describeAside } from './batches.js';
import { discover, samplersOf, type Making } from './discover.js';
import { describeStays, elsewhere, type Stays } from './elsewhere.js';
import { inputsOf, nodeName, upstream, type Graph, type Target } from './graph.js';
import type { Workflow } from './workflow.js';

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

/** The bindings that a person wrote. ConfigError where one leads nowhere. */
export function readBindings(graph: Graph, explicit: { [setting: string]: string }, path: string): Bindings {
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
  return given;
}

/** Where each setting goes: `given` first, the rest by following the links back from the samplers. */
export function findBindings(
  graph: Graph,
  making: Making,
  given: Bindings,
  path: string,
): { bindings: Bindings; stays: Stays } {
  const { bindings, stays } = elsewhere(graph, making.used, discover(graph, making), given);
  const needed: Setting[] = samplersOf(graph, Object.keys(graph)).length > 0 ? ['prompt', 'seed'] : ['seed'];
  for (const setting of needed) {
    if (bindings[setting] !== undefined) continue;
    const places = placesFor(graph, setting);
    const [example = `3.inputs.${setting}`] = places;
    const same = ' Without one it makes the same image again and again.';
    const there = places.length > 0 ? ` It may be ${places.join(', or ')}.` : setting === 'seed' ? same : '';
    throw new ConfigError(
      `${path}: no node is seen to take the ${setting}. Say which input it is, for example bindings: { ${setting}: "${example}" }.${there}`,
    );
  }
  return { bindings, stays };
}

/** Where a person may look for the prompt or the seed: what the samplers need under such a name. */
function placesFor(graph: Graph, setting: Setting): string[] {
  const name = setting === 'seed' ? /seed|^value$/i : /text|prompt|string|positive|^value$/i;
  const type = setting === 'seed' ? 'number' : 'string';
  const samplers = samplersOf(graph, Object.keys(graph));
  const needed = new Set(samplers.flatMap((id) => upstream(graph, id)));
  const all = [...(needed.size > 0 ? needed : Object.keys(graph))].flatMap((id) =>
    inputsOf(graph, id)
      .filter((input) => name.test(input) && typeof graph[id]?.inputs[input] === type)
      .map((input) => `${id}.inputs.${input}`),
  );
  return all.slice(0, 8);
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

/**
 * A line for each setting: `seed -> node 3 (KSampler), input seed`; then what stays beside it, and those that go
 * nowhere.
 */
export function describeBindings(workflow: { graph: Graph; bindings: Bindings; stays: Stays }): string[] {
  const { graph, bindings, stays } = workflow;
  const lines = settings.flatMap((setting) =>
    (bindings[setting] ?? []).map(
      ({ node, input }) => `${setting} -> ${nodeName(graph, node)}, input ${input}`,
    ),
  );
  for (const [setting, targets] of Object.entries(stays)) {
    lines.push(`${setting} stays ${describeStays(graph, targets)}`);
  }
  const left = unbound(bindings);
  return left.length === 0 ? lines : [...lines, `not taken by the workflow: ${left.join(', ')}`];
}

/** What to tell of a pipeline that sets or changes `asked`: where it has no effect, and where another value stays. */
export function warningsOf(
  {
    graph,
    bindings,
    stays,
    aside,
    output,
  }: Pick<Workflow, 'graph' | 'bindings' | 'stays' | 'aside' | 'output'>,
  asked: readonly string[],
): string[] {
  const vain = unbound(bindings).filter((setting) => asked.includes(setting));
  const kept = Object.entries(stays).filter(([setting]) => asked.includes(setting));
  return [
    ...(vain.length === 0
      ? []
      : [`its workflow does not take ${vain.join(', ')}. Say under bindings which input does.`]),
    ...kept.map(
      ([setting, targets]) =>
        `${setting} stays ${describeStays(graph, targets)}. Set it under generate.comfyui, for example "${targets[0]?.node ?? ''}.inputs.${targets[0]?.input ?? ''}", to change it there too.`,
    ),
    ...describeAside(graph, aside, output),
  ];
}

/** What a request may say and the workflow does not take. */
function unbound(bindings: Bindings): Setting[] {
  return settings.filter((setting) => bindings[setting] === undefined && !ours.has(setting));
}

/** Never of a request. */
const ours: ReadonlySet<Setting> = new Set(['batch_size', 'filename_prefix']);

export function didYouMean(names: readonly string[]): string {
  return names.length === 0 ? '' : ` Did you mean ${names.join(', or ')}?`;
}

function isSetting(name: string): name is Setting {
  return (settings as readonly string[]).includes(name);
}
