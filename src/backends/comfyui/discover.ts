import { batchInputs } from './batches.js';
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
import { hasPicture, maskImage, startImage } from './pictures.js';
import { textsBehind, type Side } from './texts.js';

/** The node that saves the picture, and all that the picture is made by. */
export interface Making {
  output: string | undefined;
  used: string[];
}

/** `givenOutput` is the node that a person says saves. */
export function makingOf(graph: Graph, givenOutput: string | undefined): Making {
  const output = givenOutput ?? findOutput(graph);
  return { output, used: output === undefined ? Object.keys(graph) : upstream(graph, output) };
}

/** Where each setting goes, by following the links back from the samplers. */
export function discover(graph: Graph, { output, used }: Making): Bindings {
  const samplers = samplersOf(graph, used);
  // The first pass: what it samples from comes from no other sampler.
  const first = samplers.find((id) => samplersOf(graph, upstream(graph, id).slice(1)).length === 0);
  return withoutEmpty({
    ...(first !== undefined && ofSampler(graph, first, samplers)),
    vae: nearest(graph, used, ['vae_name'], 'text'),
    init_image: startImage(graph, first, used),
    mask: maskImage(graph, used),
    batch_size: batchInputs(graph, used),
    // Its own input even where that is a link: a text box behind it may be the prompt's too.
    filename_prefix: ['filename_prefix', 'save_prefix']
      .filter((input) => output !== undefined && has(graph, output, input))
      .map((input) => ({ node: output ?? '', input })),
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
    empty === undefined ? [] : inputs.flatMap((input) => written(graph, empty, input, 'number'));
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
      ['ckpt_name', 'base_ckpt_name', 'unet_name', 'gguf_name'],
      'text',
    ),
    clip_skip: nearest(
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
  return nearest(graph, upstream(graph, sampler, new RegExp(`${via}|pipe`, 'i')), inputs, type);
}

/**
 * The input of the nearest node that has one: where its value is written, or else the input itself, whose
 * link (to a sum, to a list of presets) the value then takes the place of.
 */
function nearest(
  graph: Graph,
  ids: readonly string[],
  inputs: readonly string[],
  type: 'text' | 'number',
): Target[] {
  for (const node of ids) {
    const input = inputs.find((one) => has(graph, node, one));
    if (input === undefined) continue;
    const found = written(graph, node, input, type);
    return found.length > 0 ? found : [{ node, input }];
  }
  return [];
}

function withoutEmpty(bindings: Bindings): Bindings {
  return Object.fromEntries(Object.entries(bindings).filter(([, targets]) => targets.length > 0));
}
