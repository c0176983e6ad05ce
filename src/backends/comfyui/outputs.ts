import { ConfigError } from '../../errors.js';
import { has, linkOf, nodeName, sourceOf, upstream, type Graph, type Node } from './graph.js';

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

/**
 * A workflow whose pictures go to the server's temporary folder. ConfigError where a node saves in a way of its own, or
 * hands its picture on.
 */
export function keepingNone(graph: Graph, path: string): Graph {
  const savers = Object.keys(graph).filter((id) => isSaver(graph, id));
  const needed = new Set(Object.keys(graph).flatMap((id) => upstream(graph, id).slice(1)));
  const temporary = savers.map((id): [string, Node] => {
    const { images = null, image = images } = graph[id]?.inputs ?? {};
    if (linkOf(image) && !needed.has(id))
      return [id, { class_type: 'PreviewImage', inputs: { images: image } }];
    throw new ConfigError(
      `${path}: keep_images is false, and ${nodeName(graph, id)} saves its picture in a way of its own: put a SaveImage in its place and export it again, or leave keep_images out.`,
    );
  });
  return { ...graph, ...Object.fromEntries(temporary) };
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
