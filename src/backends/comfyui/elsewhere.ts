import { isDeepStrictEqual } from 'node:util';
import type { Json } from '../../loop/index.js';
import type { Bindings, Setting } from './bindings.js';
import { has, inputsOf, linkOf, nodeName, valueAt, written, type Graph, type Target } from './graph.js';

/** Places that hold another value of a setting than the one that a request sets. */
export type Stays = { [setting in Setting]?: Target[] };

/** The names that node classes give the inputs of a setting. Sizes come in pairs. */
const names: { readonly [setting in Setting]?: RegExp } = {
  steps: /^steps$/,
  cfg_scale: /^cfg$/,
  sampler: /^sampler_name$/,
  scheduler: /^scheduler$/,
  checkpoint: /^((base_)?ckpt_name|unet_name|gguf_name)$/,
  vae: /^vae_name$/,
  clip_skip: /^(stop_at_clip_layer|(base_)?clip_skip)$/,
  denoising_strength: /^denoise$/,
};
const sizes = ['', 'target_', 'empty_latent_'];

/**
 * A setting may stand in several nodes (a latent's size in ModelSamplingFlux too, the steps in a second pass): where
 * the others hold the same value they are meant as well, and go with it; another value stays, and is told. `given`
 * are the bindings that a person wrote: those alone are changed. `used` are the nodes behind the picture.
 */
export function elsewhere(
  graph: Graph,
  used: readonly string[],
  found: Bindings,
  given: Bindings,
): { bindings: Bindings; stays: Stays } {
  const bindings: Bindings = { ...found, ...given };
  const stays: Stays = {};
  const taken = new Set(Object.values(bindings).flat().map(keyOf));
  const sort = (setting: Setting, target: Target, isSame: boolean) => {
    if (taken.has(keyOf(target))) return;
    // A later pass denoises less for reasons of its own, and a person's binding is the whole of it.
    if (isSame && given[setting] === undefined && setting !== 'denoising_strength') {
      taken.add(keyOf(target));
      bindings[setting] = [...(bindings[setting] ?? []), target];
    } else if (linkOf(valueAt(graph, target)) === undefined) {
      stays[setting] = [...(stays[setting] ?? []), target];
    }
  };

  for (const [setting, name] of Object.entries(names) as [Setting, RegExp][]) {
    const [first] = bindings[setting] ?? [];
    if (first === undefined) continue;
    for (const target of placesOf(graph, used, name, first))
      sort(setting, target, holdSame(graph, first, target));
  }
  const [width] = bindings.width ?? [];
  const [height] = bindings.height ?? [];
  if (width !== undefined && height !== undefined) {
    for (const pair of sizesIn(graph, used)) {
      const isSame = holdSame(graph, width, pair.width) && holdSame(graph, height, pair.height);
      sort('width', pair.width, isSame);
      sort('height', pair.height, isSame);
    }
  }
  return { bindings, stays };
}

/** `30 in node 11 (KSampler)`, a place each. */
export function describeStays(graph: Graph, targets: readonly Target[]): string {
  return targets
    .map((target) => `${JSON.stringify(valueAt(graph, target))} in ${nodeName(graph, target.node)}`)
    .join(', ');
}

function placesOf(graph: Graph, used: readonly string[], name: RegExp, first: Target): Target[] {
  const type = isText(valueAt(graph, first)) ? 'text' : 'number';
  return used.flatMap((node) =>
    inputsOf(graph, node)
      .filter((input) => name.test(input))
      .map((input) => written(graph, node, input, type)[0] ?? { node, input }),
  );
}

function sizesIn(graph: Graph, used: readonly string[]): { width: Target; height: Target }[] {
  // A region that some words are for is none of the picture's sizes.
  const isRegion = (id: string) => inputsOf(graph, id).some((input) => /^(x|conditioning.*)$/.test(input));
  const pairs = used.filter((id) => !isRegion(id)).flatMap((node) => sizes.map((kind) => ({ node, kind })));
  return pairs.flatMap(({ node, kind }) => {
    const place = (side: 'width' | 'height') =>
      // A box within the picture is none of its sizes.
      has(graph, node, kind + side) && !has(graph, node, 'x')
        ? written(graph, node, kind + side, 'number')[0]
        : undefined;
    const [width, height] = [place('width'), place('height')];
    return width && height ? [{ width, height }] : [];
  });
}

/** The same value, as a number or as its text, or the same node that computes it. */
function holdSame(graph: Graph, one: Target, other: Target): boolean {
  const [a, b] = [one, other].map((target) => {
    const value = valueAt(graph, target);
    return typeof value === 'number' ? `${value}` : value;
  });
  return isDeepStrictEqual(a, b);
}

function isText(value: Json | undefined): boolean {
  return typeof value === 'string' && !/^\d+$/.test(value);
}

const keyOf = ({ node, input }: Target): string => JSON.stringify([node, input]);
