import { meant } from '../stem.js';
import type { Graph, Target } from './graph.js';
import type { Lists } from './lists.js';

/** Writes names of files as the server spells them: it takes no other spelling. Unknown ones stay. */
export async function respell(
  graph: Graph,
  files: readonly Target[],
  lists: Lists,
  signal: AbortSignal,
): Promise<void> {
  for (const { node: id, input } of files) {
    const node = graph[id];
    const asked = node?.inputs[input];
    if (node === undefined || typeof asked !== 'string') continue;
    const choices = await lists.choices(node.class_type, input, signal);
    node.inputs[input] = meant(asked, choices ?? []) ?? asked;
  }
}
