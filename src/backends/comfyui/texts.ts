import { distinct, inputsOf, linkOf, sourceOf, valueAt, type Graph, type Target } from './graph.js';

export type Side = 'positive' | 'negative';

/** Inputs for one side's words or conditioning: of samplers, loaders, pipes, prompt stylers. */
const sided: { readonly [S in Side]: RegExp } = {
  positive: /^(positive|(text|prompt)_positive|positive_prompt)$/,
  negative: /^(negative|(text|prompt)_negative|negative_prompt|neg_conditioning)$/,
};

/** Links that conditioning takes from node to node: combined, switched, bundled. */
const carrying =
  /^(?!.*(control|image)).*(cond|pipe|tuple|embed|ctx|context|^any_|^input|^on_(true|false)$)/i;

/** The words of one encoder or text box. All that it has take the same prompt. */
const words =
  /^(text|text_[gl]|clip_[lg]|t5xxl|bert|mt5xl|llama|prompt|string|value|wildcard_text|populated_text)$/;

/** What a text is put together of. */
const parts = /text|string|prompt|^[a-d]$/i;
const noParts = /delimiter|separator|find|replace|pattern|mode|style/i;

/**
 * The texts behind a sampler's conditioning, through every node that only changes or carries it. Empty
 * where they are not to be seen, or are put together of several: which of those is the prompt, only its
 * author knows.
 */
export function textsBehind(graph: Graph, sampler: string, side: Side): Target[] {
  const start = sourceOf(graph, sampler, 'guider') ?? sampler;
  const inputs = inputsOf(graph, start);
  // BasicGuider and most of Flux know no negative prompt: their one conditioning is the positive one.
  const isOneSided = side === 'negative' && inputs.includes('conditioning');
  if (isOneSided && !inputs.some((input) => sided.negative.test(input))) return [];
  return theOne(graph, search(graph, start, side, new Set()));
}

/** Each list holds inputs that take the same words; an empty one stands for words that come from elsewhere. */
function search(graph: Graph, id: string, side: Side, seen: Set<string>): Target[][] {
  // ConditioningZeroOut throws the words away.
  if (seen.has(id) || graph[id]?.class_type === 'ConditioningZeroOut') return [];
  seen.add(id);
  const isLink = (input: string) => linkOf(graph[id]?.inputs[input]) !== undefined;
  const follow = (input: string): Target[][] => {
    const source = sourceOf(graph, id, input);
    if (source !== undefined) return search(graph, source, side, seen);
    const target = { node: id, input };
    return typeof valueAt(graph, target) === 'string' ? [[target]] : [];
  };
  // A node that knows the sides hands each on as itself, whichever of its outputs that is.
  const all = inputsOf(graph, id);
  const own = all.filter((input) => sided[side].test(input));
  if (own.length > 0) return own.flatMap(follow);
  const inputs = all.filter((input) => !sided[side === 'positive' ? 'negative' : 'positive'].test(input));
  // What changes conditioning comes before words: GLIGEN's box has words too, but no prompt.
  const carried = inputs.filter((input) => carrying.test(input) && isLink(input));
  if (carried.length > 0) return carried.flatMap(follow);
  // Words that are read off a picture.
  if (isLink('image') && !isLink('clip')) return [[]];
  const encoded = inputs.filter((input) => words.test(input)).map(follow);
  if (encoded.length > 0) {
    return encoded.some((found) => found.length > 1) ? encoded.flat() : [encoded.flat(2)];
  }
  // An empty part that is written there is a place that nobody uses.
  const used = inputs.filter((input) => graph[id]?.inputs[input] !== '');
  const found = used.filter((input) => parts.test(input) && !noParts.test(input)).flatMap(follow);
  return found.length > 0 ? found : [[]];
}

/** All of them where they say the same. */
function theOne(graph: Graph, found: readonly Target[][]): Target[] {
  const said = new Set(found.map((targets) => JSON.stringify(targets.map((one) => valueAt(graph, one)))));
  return said.size === 1 ? distinct(found.flat()) : [];
}
