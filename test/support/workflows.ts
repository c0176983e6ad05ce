import { expect } from 'vitest';
import { readWorkflow, type Workflow } from '../../src/backends/comfyui/workflow.js';
import { ConfigError } from '../../src/errors.js';
import type { TestGraph } from './sketch-graphs.js';

export const read = (graph: unknown, bindings?: Record<string, string>): Workflow =>
  readWorkflow({ text: JSON.stringify(graph), path: 'hands.api.json' }, bindings);

export const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error('nothing was refused');
};

/** `setting: 3.seed, 7.seed` a line, as short as a test wants it. */
export const bound = (graph: unknown, bindings?: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(read(graph, bindings).bindings).map(([setting, targets]) => [
      setting,
      targets.map(({ node, input }) => `${node}.${input}`).join(', '),
    ]),
  );

/** A graph with nodes changed or added; null takes one away. */
export const changed = (graph: TestGraph, nodes: Record<string, TestGraph[string] | null>): TestGraph =>
  Object.fromEntries(
    Object.entries({ ...graph, ...nodes }).filter(
      (entry): entry is [string, TestGraph[string]] => entry[1] !== null,
    ),
  );

/** A graph with inputs of one node changed or added; undefined takes one away. */
export const rewired = (graph: TestGraph, id: string, inputs: Record<string, unknown>): TestGraph => {
  const node = graph[id]!;
  return { ...graph, [id]: { ...node, inputs: { ...node.inputs, ...inputs } } };
};
