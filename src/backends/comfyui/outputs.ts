import { ConfigError } from '../../errors.js';
import { has, sourceOf, upstream, type Graph } from './graph.js';

/** They leave nothing in the server's output folder. */
const shows = new Set(['PreviewImage', 'SaveImageWebsocket']);

/** The node whose picture is the result: of several that save one, the one that most nodes lead to. */
export function findOutput(graph: Graph): string | undefined {
  return (
    largest(graph, (id) => isSaver(graph, id) && has(graph, id, 'filename_prefix')) ??
    largest(graph, (id) => isSaver(graph, id))
  );
}

/** Whether a node saves a picture, with a prefix or without, and no video. */
export function isSaver(graph: Graph, id: string): boolean {
  const isNamed = has(graph, id, 'filename_prefix') && takesPicture(graph, id);
  return (isNamed || saves(graph, id)) && !isVideo(graph, id);
}

/**
 * A workflow that only shows its picture shall save it. ConfigError where there is no picture, only a
 * video say.
 */
export function savingItsPicture(graph: Graph, path: string): Graph {
  if (findOutput(graph) !== undefined) return graph;
  const ids = Object.keys(graph);
  const video = ids.find((id) => isVideo(graph, id));
  const shown = largest(graph, (id) => shows.has(graph[id]?.class_type ?? ''));
  const images = shown === undefined ? undefined : graph[shown]?.inputs['images'];
  if (video !== undefined || shown === undefined || images === undefined) {
    const instead = video === undefined ? '' : ` but a video (${graph[video]?.class_type ?? ''})`;
    throw new ConfigError(
      `${path} saves no image${instead}: put a SaveImage behind the picture and export it again, or name the node that saves it under bindings, for example filename_prefix: "9.inputs.filename_prefix".`,
    );
  }
  return { ...graph, [shown]: { class_type: 'SaveImage', inputs: { images, filename_prefix: 'reroll' } } };
}

/** Savers that want no prefix, and samplers that save by themselves. */
function saves(graph: Graph, id: string): boolean {
  const { class_type: name = '', inputs = {} } = graph[id] ?? {};
  const isNamedSo = /save/i.test(name) && !shows.has(name) && takesPicture(graph, id);
  const { image_output: output } = inputs;
  return isNamedSo || (typeof output === 'string' && /save/i.test(output));
}

function takesPicture(graph: Graph, id: string): boolean {
  return ['images', 'image'].some((input) => sourceOf(graph, id, input) !== undefined);
}

function isVideo(graph: Graph, id: string): boolean {
  const isMoving = ['fps', 'frame_rate', 'video'].some((input) => has(graph, id, input));
  return isMoving && (has(graph, id, 'filename_prefix') || saves(graph, id));
}

function largest(graph: Graph, test: (id: string) => boolean): string | undefined {
  const size = new Map(
    Object.keys(graph)
      .filter(test)
      .map((id) => [id, upstream(graph, id).length]),
  );
  return [...size.keys()].sort((a, b) => (size.get(b) ?? 0) - (size.get(a) ?? 0))[0];
}
