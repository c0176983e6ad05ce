import { ConfigError } from '../../errors.js';
import { near } from '../near.js';
import { discover, samplersOf } from './discover.js';
import { inputsOf, nodeName, upstream, type Graph, type Target } from './graph.js';

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
    const places = placesFor(graph, setting);
    const [example = `3.inputs.${setting}`] = places;
    const same = ' Without one it makes the same image again and again.';
    const there = places.length > 0 ? ` It may be ${places.join(', or ')}.` : setting === 'seed' ? same : '';
    throw new ConfigError(
      `${path}: no node is seen to take the ${setting}. Say which input it is, for example bindings: { ${setting}: "${example}" }.${there}`,
    );
  }
  return bindings;
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

/** A line for each setting: `seed -> node 3 (KSampler), input seed`; the last one lists those that go nowhere. */
export function describeBindings({ graph, bindings }: { graph: Graph; bindings: Bindings }): string[] {
  const lines = settings.flatMap((setting) =>
    (bindings[setting] ?? []).map(
      ({ node, input }) => `${setting} -> ${nodeName(graph, node)}, input ${input}`,
    ),
  );
  const left = unbound(bindings);
  return left.length === 0 ? lines : [...lines, `not taken by the workflow: ${left.join(', ')}`];
}

/** What a request may say and the workflow does not take: there it stays as it is in the file. */
export function unbound(bindings: Bindings): Setting[] {
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
