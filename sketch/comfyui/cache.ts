import { createHash } from 'node:crypto';
import type { JsonObject } from '../http.js';
import { linkOf, type Graph } from './graph.js';
import type { NodeTypes, Workshop } from './nodes/index.js';
import { Inputs, type Value } from './values.js';

/** Results kept: enough for the prompts that share nodes, little enough for the memory. */
const kept = 200;

/** A node's outputs by its signature: its class, its inputs and everything above it. The node's id is not in it. */
export class NodeCache {
  /** Values, of nodes that have run and of those that are drawn ahead. */
  readonly #values = new Map<string, Value[]>();
  /** What nodes that have run showed the user; null for nodes that show nothing. */
  readonly #shown = new Map<string, JsonObject | null>();

  hasRun(signature: string): boolean {
    return this.#shown.has(signature);
  }

  ui(signature: string): JsonObject | null {
    return this.#shown.get(signature) ?? null;
  }

  ran(signature: string, ui: JsonObject | null): void {
    remember(this.#shown, signature, ui);
  }

  clear(): void {
    this.#values.clear();
    this.#shown.clear();
  }

  /** The outputs of a node and of all that it needs: remembered ones, or new ones. @throws what a node throws. */
  outputs(context: Evaluation, id: string): Value[] {
    const signature = context.signature(id);
    const known = this.#values.get(signature);
    if (known !== undefined) return known;
    const made = context.type(id).run(this.inputs(context, id), context.workshop);
    remember(this.#values, signature, made);
    return made;
  }

  inputs(context: Evaluation, id: string): Inputs {
    const entries = Object.entries(context.graph[id]?.inputs ?? {}).map(([name, value]) => {
      const link = linkOf(value);
      return [name, link === undefined ? value : this.outputs(context, link[0])[link[1]]] as const;
    });
    return new Inputs(Object.fromEntries(entries));
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > kept && oldest !== undefined) map.delete(oldest);
}

/** One graph with the node types and files that it meets. */
export class Evaluation {
  readonly #signatures = new Map<string, string>();

  readonly #types: NodeTypes;

  constructor(
    readonly graph: Graph,
    types: NodeTypes,
    readonly workshop: Workshop,
  ) {
    this.#types = types;
  }

  type(id: string): NodeTypes[string] {
    const type = this.#types[this.graph[id]?.class_type ?? ''];
    if (type === undefined) throw new Error(`node ${id} has no class`);
    return type;
  }

  signature(id: string): string {
    const known = this.#signatures.get(id);
    if (known !== undefined) return known;
    const inputs = this.graph[id]?.inputs ?? {};
    const parts = Object.keys(inputs)
      .sort()
      .map((name) => {
        const link = linkOf(inputs[name]);
        return [name, link === undefined ? { literal: inputs[name] } : [this.signature(link[0]), link[1]]];
      });
    const fingerprint = this.type(id).fingerprint?.(new Inputs(inputs), this.workshop);
    const text = JSON.stringify([this.graph[id]?.class_type, parts, fingerprint]);
    const signature = createHash('sha256').update(text).digest('base64');
    this.#signatures.set(id, signature);
    return signature;
  }
}
