import type { HttpClient } from '../../net/index.js';
import { lackOf } from '../lacks.js';
import { near } from '../near.js';
import type { Lack } from '../port.js';
import { nodeName, type Graph, type Target } from './graph.js';
import { objectInfo, type NodeInfo } from './schema.js';

/** Inputs that name a thing that a server has or has not, and the word for it. */
const named: { readonly [input: string]: string } = {
  ckpt_name: 'checkpoint',
  unet_name: 'checkpoint',
  lora_name: 'lora',
  vae_name: 'vae',
  sampler_name: 'sampler',
  scheduler: 'scheduler',
  clip_name: 'text encoder',
  clip_name1: 'text encoder',
  clip_name2: 'text encoder',
  clip_name3: 'text encoder',
  control_net_name: 'controlnet',
  style_model_name: 'style model',
};

/** What a server says of its node classes: each is asked for when it is first needed. */
export class Lists {
  readonly #http: HttpClient;
  readonly #classes = new Map<string, NodeInfo | undefined>();
  #names: string[] | undefined;

  constructor(http: HttpClient) {
    this.#http = http;
  }

  forget(): void {
    this.#classes.clear();
    this.#names = undefined;
  }

  /** Undefined: the server has no such class. */
  async node(name: string, signal: AbortSignal): Promise<NodeInfo | undefined> {
    // Answers are kept, not questions under way: one caller's abort is not the next one's.
    if (!this.#classes.has(name)) {
      const reply = await this.#http.getJson(`/object_info/${encodeURIComponent(name)}`, { signal });
      this.#classes.set(name, objectInfo.safeParse(reply).data?.[name]);
    }
    return this.#classes.get(name);
  }

  /** What an input may be; undefined where that is no list. */
  async choices(name: string, input: string, signal: AbortSignal): Promise<string[] | undefined> {
    const { required, optional } = (await this.node(name, signal))?.input ?? {};
    const [type, options] = required?.[input] ?? optional?.[input] ?? [];
    if (Array.isArray(type)) return type.map(String);
    // Newer nodes say "COMBO" and keep the list beside it.
    const list =
      type === 'COMBO' && typeof options === 'object'
        ? (options as { options?: unknown }).options
        : undefined;
    return Array.isArray(list) ? list.map(String) : undefined;
  }

  /** Every node class: megabytes, so only for near matches. */
  async names(signal: AbortSignal): Promise<string[]> {
    if (this.#names === undefined) {
      const all = await this.#http.getJson('/object_info', { signal });
      this.#names = typeof all === 'object' && all !== null ? Object.keys(all) : [];
    }
    return this.#names;
  }
}

/** What is known of a prompt beside its graph. */
export interface Besides {
  /** Inputs whose pictures are uploaded before it is sent. */
  given: readonly Target[];
  /** For nodes that call comfy.org. */
  hasKey: boolean;
}

/** What the server lacks for a graph: node classes, and files, pictures and samplers that it names. */
export async function findMissing(
  graph: Graph,
  lists: Lists,
  { given, hasKey }: Besides,
  signal: AbortSignal,
): Promise<Lack[]> {
  const lacks: Lack[] = [];
  for (const [id, { class_type: name, inputs }] of Object.entries(graph)) {
    const known = await lists.node(name, signal);
    if (known === undefined) {
      lacks.push({ what: 'node', asked: name, near: near(name, await lists.names(signal)) });
      continue;
    }
    if (known.api_node && !hasKey) lacks.push(keyFor(graph, id));
    for (const [input, value] of Object.entries(inputs)) {
      const isGiven = given.some((one) => one.node === id && one.input === input);
      const what = named[input] ?? (input === 'image' && isLoader(name) && !isGiven ? 'picture' : undefined);
      if (what === undefined || value === '' || typeof value === 'object') continue;
      const choices = await lists.choices(name, input, signal);
      const asked = String(value);
      if (!choices || choices.includes(asked)) continue;
      // The list has the input folder's own files alone, and the server takes others: "sub/a.png", "a.png [output]".
      if (what === 'picture' && /[/\\]|\[\w+\]$/.test(asked)) continue;
      // The workflow itself may name it, and not the pipeline.
      lacks.push({ ...lackOf(what, asked, choices), where: nodeName(graph, id) });
    }
  }
  const order = Object.values(named);
  const unique = lacks.filter(
    (one, place) => lacks.findIndex(({ what, asked }) => what === one.what && asked === one.asked) === place,
  );
  return unique.sort((a, b) => order.indexOf(a.what) - order.indexOf(b.what));
}

const isLoader = (name: string): boolean => name === 'LoadImage' || name === 'LoadImageMask';

const keyFor = (graph: Graph, id: string): Lack => ({
  what: 'key for',
  asked: graph[id]?.class_type ?? id,
  near: [],
  where: nodeName(graph, id),
  advice: ': it calls comfy.org. Give the backend an api_key, such as ${COMFY_API_KEY}',
});
