import { isObject, type JsonObject } from '../http.js';

/** A node of a graph in API format. */
export interface GraphNode {
  class_type: string;
  inputs: JsonObject;
  _meta?: { title?: string };
}

export type Graph = Record<string, GraphNode>;

export type Link = readonly [node: string, output: number];

/** Where an input leads, if it is a link and no literal. */
export function linkOf(value: unknown): Link | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  return [String(value[0]), Number(value[1])];
}

/** Every node that `from` needs, each after those that it needs itself. Stops at nodes that `isKnown` knows. */
export function inOrder(graph: Graph, from: readonly string[], isKnown: (id: string) => boolean): string[] {
  const order = new Set<string>();
  const visit = (id: string): void => {
    if (order.has(id)) return;
    for (const value of Object.values(graph[id]?.inputs ?? {})) {
      const link = linkOf(value);
      if (link !== undefined && !isKnown(link[0])) visit(link[0]);
    }
    order.add(id);
  };
  from.forEach(visit);
  return [...order];
}

/** The seed of the graph: of the first node that has one. */
export function seedOf(graph: Graph): number {
  for (const node of Object.values(graph)) {
    const seed = node.inputs['seed'] ?? node.inputs['noise_seed'];
    if (typeof seed === 'number' || typeof seed === 'string') return Number(seed);
  }
  return 0;
}

/** Whether the values of a posted object are nodes; in a UI-format workflow they are not, and the server breaks. */
export function looksLikeGraph(prompt: unknown): prompt is Record<string, JsonObject> {
  return isObject(prompt) && Object.values(prompt).every(isObject);
}
