import type { ImageRequest } from '../../loop/index.js';
import type { Bindings } from './bindings.js';
import { distinct, has, upstream, written, type Graph, type Target } from './graph.js';

/** What leads from pictures and latents to a sampler. Its words and models come by other inputs, and a mere size is no picture. */
const pictorial =
  /^(?!.*(mask|positive|negative|cond|model|clip|vae|control|guider|noise|sigmas|pipe|width|height))/i;

/**
 * A picture to start from: the one that the latent is made of, or else the only one that a VAE encodes for
 * the conditioning (edit models). A ControlNet's or an IPAdapter's is none.
 */
export function startImage(graph: Graph, sampler: string | undefined, used: readonly string[]): Target[] {
  const loadersIn = (ids: readonly string[]) => ids.filter((id) => isLoader(graph, id));
  const behind = (id: string) => loadersIn(upstream(graph, id, pictorial));
  const [started] = sampler === undefined ? [] : behind(sampler);
  if (started !== undefined) return written(graph, started, 'image', 'text');
  const words = sampler === undefined ? [] : upstream(graph, sampler, /positive|cond|guider|pipe|^latent$/i);
  const encoders = words.slice(1).filter((id) => encodes(graph, id));
  const loaders = new Set(sampler === undefined ? loadersIn(used) : encoders.flatMap(behind));
  return loaders.size === 1 ? [...loaders].flatMap((id) => written(graph, id, 'image', 'text')) : [];
}

/** Every node that loads a picture. */
export function loadersOf(graph: Graph): string[] {
  return Object.keys(graph).filter((id) => isLoader(graph, id));
}

/** LoadImage and what uploads as it does: others read paths and URLs, not the server's input folder. */
function isLoader(graph: Graph, id: string): boolean {
  const { class_type: name, inputs } = graph[id] ?? { class_type: '', inputs: {} };
  return name === 'LoadImage' || (inputs['upload'] === 'image' && name !== 'LoadImageMask');
}

function encodes(graph: Graph, id: string): boolean {
  return has(graph, id, 'vae') && !has(graph, id, 'control_net');
}

/** The only mask that is loaded as one. */
export function maskImage(graph: Graph, used: readonly string[]): Target[] {
  const loaders = used.filter((id) => graph[id]?.class_type === 'LoadImageMask');
  const masks = distinct(loaders.flatMap((id) => written(graph, id, 'image', 'text')));
  return masks.length === 1 ? masks : [];
}

/** Nodes that change a picture may have a size too, but it is that of another one. */
export function hasPicture(graph: Graph, id: string, more: readonly string[] = []): boolean {
  return ['pixels', 'image', ...more].some((input) => has(graph, id, input));
}

/** The inputs that a request's own pictures go to: what the workflow names there is not needed. */
export function uploadedInputs(
  { init_image: start, mask }: ImageRequest,
  { bindings }: { bindings: Bindings },
  repairs: boolean,
): Target[] {
  return [
    ...(start !== undefined || repairs ? (bindings.init_image ?? []) : []),
    ...(mask !== undefined ? (bindings.mask ?? []) : []),
  ];
}
