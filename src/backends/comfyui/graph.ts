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

/** The node and everything that it needs, nearest first along each input; each once. */
export function upstream(graph: Graph, from: string): string[] {
  const seen = new Set<string>();
  const left = [from];
  for (let id = left.pop(); id !== undefined; id = left.pop()) {
    const node = graph[id];
    if (node === undefined || seen.has(id)) continue;
    seen.add(id);
    const sources = Object.values(node.inputs).flatMap((value) => linkOf(value)?.node ?? []);
    left.push(...sources.reverse());
  }
  return [...seen];
}

/** The same for what one input needs; empty where it is no link. */
export function upstreamOf(graph: Graph, node: string, input: string): string[] {
  const link = linkOf(graph[node]?.inputs[input]);
  return link === undefined ? [] : upstream(graph, link.node);
}

/** `node 3 (KSampler)`, with the title that the user gave it. */
export function nodeName(graph: Graph, id: string): string {
  const node = graph[id];
  const title = node?._meta?.title;
  const shown = title === undefined || title === node?.class_type ? '' : ` "${title}"`;
  return `node ${id}${shown} (${node?.class_type ?? 'unknown'})`;
}
