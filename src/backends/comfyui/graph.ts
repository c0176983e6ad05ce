import type { Json } from '../../loop/index.js';

/** A workflow in ComfyUI's API format: nodes by their ids. */
export type Graph = { [id: string]: Node };

export interface Node {
  class_type: string;
  inputs: { [input: string]: Json };
  _meta?: { title?: string };
}

/** One input of one node. */
export interface Target {
  node: string;
  input: string;
}

/** The node and the output that an input takes its value from; undefined where the value stands there itself. */
export function linkOf(value: Json | undefined): { node: string; output: number } | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [node, output] = value;
  return typeof node === 'string' && typeof output === 'number' ? { node, output } : undefined;
}

/** The node that an input takes its value from. */
export function sourceOf(graph: Graph, node: string, input: string): string | undefined {
  return linkOf(graph[node]?.inputs[input])?.node;
}

export function has(graph: Graph, node: string, input: string): boolean {
  return graph[node]?.inputs[input] !== undefined;
}

export function inputsOf(graph: Graph, node: string): string[] {
  return Object.keys(graph[node]?.inputs ?? {});
}

export function valueAt(graph: Graph, { node, input }: Target): Json | undefined {
  return graph[node]?.inputs[input];
}

/** The node and everything that it needs through inputs of these names, nearest first along each input; each once. */
export function upstream(graph: Graph, from: string, names = /./): string[] {
  const seen = new Set<string>();
  const left = [from];
  for (let id = left.pop(); id !== undefined; id = left.pop()) {
    const node = graph[id];
    if (node === undefined || seen.has(id)) continue;
    seen.add(id);
    const links = Object.entries(node.inputs).filter(([input]) => names.test(input));
    left.push(...links.flatMap(([, value]) => linkOf(value)?.node ?? []).reverse());
  }
  return [...seen];
}

/** Words for a value that a node only hands on: primitives, seed nodes, text boxes. */
const handedOn = ['value', 'text', 'string', 'prompt', 'seed', 'int', 'float', 'number'];

/** Where an input's value is written: there, or in a node that only hands it on. Empty where that is not to be seen. */
export function written(graph: Graph, node: string, input: string, type: 'text' | 'number'): Target[] {
  const seen = new Set<string>();
  for (let target: Target | undefined = { node, input }; target !== undefined;) {
    const value = valueAt(graph, target);
    const source = linkOf(value)?.node;
    if (source === undefined) {
      // A template's "{{seed}}" may stand in the input itself; what is handed on must be of the kind that is sought.
      const fits = seen.size === 0 || (type === 'text') === (typeof value === 'string' && !isLong(value));
      return value !== undefined && typeof value !== 'object' && fits ? [target] : [];
    }
    if (seen.has(source)) return [];
    seen.add(source);
    const name = [input, ...handedOn].find((one) => has(graph, source, one));
    target = name === undefined ? undefined : { node: source, input: name };
  }
  return [];
}

/** A whole number beyond 2^53, which was read as text. */
function isLong(value: string): boolean {
  return /^\d{16,}$/.test(value);
}

export function distinct(targets: readonly Target[]): Target[] {
  return [
    ...new Map(targets.map((target) => [JSON.stringify([target.node, target.input]), target])).values(),
  ];
}

/** `node 3 (KSampler)`, with the title that the user gave it. */
export function nodeName(graph: Graph, id: string): string {
  const node = graph[id];
  const title = node?._meta?.title;
  const shown = title === undefined || title === node?.class_type ? '' : ` "${title}"`;
  return `node ${id}${shown} (${node?.class_type ?? 'unknown'})`;
}
