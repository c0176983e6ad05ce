import { samplersOf } from './discover.js';
import { has, nodeName, sourceOf, upstream, type Graph, type Target } from './graph.js';
import { isSaver } from './outputs.js';

/**
 * The inputs that make several pictures of one, of the nodes behind the picture: a latent's batch_size, the amount of
 * RepeatLatentBatch. Always filled with 1, also in the place of a link: each image must be one that can be made again
 * by itself, and image 2 of a batch cannot.
 */
export function batchInputs(graph: Graph, used: readonly string[]): Target[] {
  return used.flatMap((node) => {
    const name = graph[node]?.class_type ?? '';
    const isMaker =
      /latent|empty/i.test(name) || ['width', 'empty_latent_width'].some((one) => has(graph, node, one));
    if (isMaker && has(graph, node, 'batch_size')) return [{ node, input: 'batch_size' }];
    return /repeat.*batch/i.test(name) && has(graph, node, 'amount') ? [{ node, input: 'amount' }] : [];
  });
}

/** Nodes that save another picture than `output` does: `made` by other samplers, or `aside`, on the way or beside it. */
export function otherSavers(
  graph: Graph,
  { output, used }: { output: string | undefined; used: readonly string[] },
): { made: string[]; aside: string[] } {
  const others = Object.keys(graph).filter((id) => id !== output && isSaver(graph, id));
  const isMade = (id: string) => samplersOf(graph, upstream(graph, id)).some((one) => !used.includes(one));
  // The same picture, saved twice.
  const isSame = (id: string) => output !== undefined && pictureOf(graph, id) === pictureOf(graph, output);
  return {
    made: others.filter(isMade),
    aside: others.filter((id) => !isMade(id) && !isSame(id)),
  };
}

/** What to tell of savers whose pictures nobody looks at. */
export function describeAside(graph: Graph, aside: readonly string[], output: string | undefined): string[] {
  if (aside.length === 0 || output === undefined) return [];
  const names = aside.map((id) => nodeName(graph, id)).join(', ');
  return [
    `the picture of ${nodeName(graph, output)} is looked at, and not what ${names} ${aside.length === 1 ? 'saves' : 'save'}. Say under bindings which is meant: filename_prefix: "${output}.inputs.filename_prefix".`,
  ];
}

const pictureOf = (graph: Graph, id: string): string | undefined =>
  sourceOf(graph, id, 'images') ?? sourceOf(graph, id, 'image');
