import type { Bindings } from './bindings.js';
import {
  distinct,
  has,
  inputsOf,
  sourceOf,
  upstream,
  valueAt,
  written,
  type Graph,
  type Target,
} from './graph.js';
import { findOutput } from './outputs.js';
import { textsBehind, type Side } from './texts.js';

/** Where each setting goes, by following the links back from the samplers; `givenOutput` is the node that saves. */
export function discover(graph: Graph, givenOutput: string | undefined): Bindings {
  const output = givenOutput ?? findOutput(graph);
  const used = output === undefined ? Object.keys(graph) : upstream(graph, output);
  const samplers = samplersOf(graph, used);
  // The first pass: what it samples from comes from no other sampler.
  const first = samplers.find((id) => samplersOf(graph, upstream(graph, id).slice(1)).length === 0);
  const masks = used.filter((id) => graph[id]?.class_type === 'LoadImageMask');
  return withoutEmpty({
    ...(first !== undefined && ofSampler(graph, first, samplers)),
    vae: firstWith(graph, used, ['vae_name'], 'text'),
    init_image: findInitImage(graph, first, used),
    mask: masks.flatMap((id) => written(graph, id, 'image', 'text')),
    filename_prefix:
      output === undefined ? [] : firstWith(graph, [output], ['filename_prefix', 'save_prefix'], 'text'),
  });
}

/** KSampler and its kin by their shape, which custom nodes share: a seed, steps or sigmas, and what to sample. */
export function samplersOf(graph: Graph, ids: readonly string[]): string[] {
  return ids.filter((id) => {
    const inputs = inputsOf(graph, id);
    const hasAny = (names: RegExp) => inputs.some((input) => names.test(input));
    const isFed = inputs.some((input) => fed.test(input) && sourceOf(graph, id, input) !== undefined);
    return (
      isFed &&
      (hasAny(/^guider$/) ? hasAny(/^noise$/) : hasAny(/^(noise_)?seed$/) && hasAny(/^(steps|sigmas)$/))
    );
  });
}

const fed = /positive|cond|guider|model|latent|pipe|tuple|embed/i;

function ofSampler(graph: Graph, first: string, samplers: readonly string[]): Bindings {
  const latents = upstream(graph, first, /latent|^samples$|pipe|^any_|^input/i);
  const empty = latents.find(
    (id) =>
      (has(graph, id, 'width') || has(graph, id, 'empty_latent_width')) &&
      !hasPicture(graph, id, ['samples']),
  );
  const ofEmpty = (inputs: readonly string[]) =>
    empty === undefined ? [] : firstWith(graph, [empty], inputs, 'number');
  const prompt = texts(graph, first, 'positive', samplers);
  return {
    prompt,
    negative_prompt: distinct([...prompt, ...texts(graph, first, 'negative', samplers)]).slice(prompt.length),
    seed: distinct(samplers.flatMap((id) => setting(graph, id, 'noise', ['seed', 'noise_seed'], 'number'))),
    // The passes of one schedule (a base and its refiner) must agree on how many steps it has.
    steps: distinct(
      (has(graph, first, 'end_at_step')
        ? samplers.filter((id) => has(graph, id, 'end_at_step'))
        : [first]
      ).flatMap((id) => setting(graph, id, 'sigmas', ['steps'], 'number')),
    ),
    cfg_scale: setting(graph, first, 'guider', ['cfg'], 'number'),
    sampler: setting(graph, first, 'sampler', ['sampler_name'], 'text'),
    scheduler: setting(graph, first, 'sigmas', ['scheduler'], 'text'),
    checkpoint: setting(
      graph,
      first,
      'model|guider|tuple|ctx|^any_|^input',
      ['ckpt_name', 'base_ckpt_name', 'unet_name'],
      'text',
    ),
    clip_skip: firstWith(
      graph,
      upstream(graph, first),
      ['stop_at_clip_layer', 'clip_skip', 'base_clip_skip'],
      'number',
    ),
    // Less than full denoising of an empty latent would leave noise in the picture.
    denoising_strength:
      empty === undefined && latents.some((id) => hasPicture(graph, id))
        ? setting(graph, first, 'sigmas', ['denoise'], 'number')
        : [],
    width: ofEmpty(['width', 'empty_latent_width']),
    height: ofEmpty(['height', 'empty_latent_height']),
    batch_size: ofEmpty(['batch_size']),
  };
}

/** A later pass takes the prompt where its words are those of the first; a hand detailer's "perfect hand" stays. */
function texts(graph: Graph, first: string, side: Side, samplers: readonly string[]): Target[] {
  const own = textsBehind(graph, first, side);
  const words = new Set(own.map((target) => valueAt(graph, target)));
  const later = samplers.filter((id) => id !== first).flatMap((id) => textsBehind(graph, id, side));
  return distinct([...own, ...later.filter((target) => words.has(valueAt(graph, target)))]);
}

/** An input of the sampler itself, or of the nodes behind its inputs `via` (SamplerCustomAdvanced, pipes). */
function setting(
  graph: Graph,
  sampler: string,
  via: string,
  inputs: readonly string[],
  type: 'text' | 'number',
): Target[] {
  return firstWith(graph, upstream(graph, sampler, new RegExp(`${via}|pipe`, 'i')), inputs, type);
}

/** What leads from pictures and latents to a sampler; its words and models come by other inputs. */
const pictorial = /^(?!.*(mask|positive|negative|cond|model|clip|vae|control|guider|noise|sigmas|pipe))/i;

/**
 * A picture to start from: the one that the latent is made of, or else the only one that a VAE encodes for
 * the conditioning (edit models). A ControlNet's or an IPAdapter's is none.
 */
function findInitImage(graph: Graph, sampler: string | undefined, used: readonly string[]): Target[] {
  const loadersIn = (ids: readonly string[]) => ids.filter((id) => isLoader(graph, id));
  const behind = (id: string) => loadersIn(upstream(graph, id, pictorial));
  const [started] = sampler === undefined ? [] : behind(sampler);
  if (started !== undefined) return written(graph, started, 'image', 'text');
  const words = sampler === undefined ? [] : upstream(graph, sampler, /positive|cond|guider|pipe|^latent$/i);
  const encoders = words.slice(1).filter((id) => encodes(graph, id));
  const loaders = new Set(sampler === undefined ? loadersIn(used) : encoders.flatMap(behind));
  return loaders.size === 1 ? [...loaders].flatMap((id) => written(graph, id, 'image', 'text')) : [];
}

/** LoadImage and what uploads as it does: others read paths and URLs, not the server's input folder. */
function isLoader(graph: Graph, id: string): boolean {
  const { class_type: name, inputs } = graph[id] ?? { class_type: '', inputs: {} };
  return name === 'LoadImage' || (inputs['upload'] === 'image' && name !== 'LoadImageMask');
}

function encodes(graph: Graph, id: string): boolean {
  return has(graph, id, 'vae') && !has(graph, id, 'control_net');
}

/** Nodes that scale have a size too, but of another picture. */
function hasPicture(graph: Graph, id: string, more: readonly string[] = []): boolean {
  return ['pixels', 'image', ...more].some((input) => has(graph, id, input));
}

function firstWith(
  graph: Graph,
  ids: readonly string[],
  inputs: readonly string[],
  type: 'text' | 'number',
): Target[] {
  for (const id of ids) {
    const input = inputs.find((one) => has(graph, id, one));
    const found = input === undefined ? [] : written(graph, id, input, type);
    if (found.length > 0) return found;
  }
  return [];
}

function withoutEmpty(bindings: Bindings): Bindings {
  return Object.fromEntries(Object.entries(bindings).filter(([, targets]) => targets.length > 0));
}
