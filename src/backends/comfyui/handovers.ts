import { distinct, has, valueAt, written, type Graph, type Target } from './graph.js';

/** Where one pass of a schedule hands over to the next, in steps: a base and its refiner, a split of sigmas. */
const inputs = ['start_at_step', 'end_at_step', 'refine_at_step', 'step'];

/** The handovers within a schedule of `steps`; 0 and 10000 are its ends, and no handover. */
export function handoversOf(graph: Graph, used: readonly string[], steps: number): Target[] {
  const isPlace = (node: string, input: string) =>
    has(graph, node, input) && (input !== 'step' || has(graph, node, 'sigmas'));
  const all = used.flatMap((node) =>
    inputs.flatMap((input) => (isPlace(node, input) ? written(graph, node, input, 'number') : [])),
  );
  return distinct(all).filter((target) => {
    const at = Number(valueAt(graph, target));
    return at > 0 && at < steps;
  });
}

/** The same share of `steps` that `at` was of `before`: a refiner that begins at 20 of 25 begins at 32 of 40. */
export function handover(at: number, before: number, steps: number): number {
  return Math.max(1, Math.min(steps - 1, Math.round((at * steps) / before)));
}
