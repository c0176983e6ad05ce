import type { ImageRequest, Json } from '../../loop/index.js';
import { uncountable } from '../lacks.js';
import type { GenerateJob, Lack } from '../port.js';
import { readTarget, type Bindings, type Setting } from './bindings.js';
import { distinct, inputsOf, valueAt, type Graph, type Target } from './graph.js';
import { handover, handoversOf } from './handovers.js';
import { comfySampler, comfyScheduler } from './names.js';
import { resolve } from './own.js';
import type { Workflow } from './workflow.js';

/** What a request is made of beside its settings. */
export interface Parts {
  filenamePrefix: string;
  /** As LoadImage wants it: a name in the server's input folder. */
  initImage?: string;
  mask?: string;
  /** The workflow repairs a candidate, which was made of the request's pictures and had its hires pass. */
  repairs?: boolean;
}

/** A workflow with a request filled in, and what of the request it cannot take. */
export interface Filled {
  graph: Graph;
  lacks: Lack[];
  /** Inputs that name a file: the server may spell it in another way than the request, or the workflow's author. */
  files: Target[];
}

/** The request in a workflow's words; what it leaves out stays. Pure: the workflow is not changed. */
export function fill(asked: ImageRequest, workflow: Workflow, parts: Parts): Filled {
  const request = resolve(asked, workflow);
  const graph = structuredClone(workflow.graph);
  const { bindings } = workflow;
  const lacks = unsupported(request, workflow, parts.repairs ?? false);
  const values = valuesOf(request, parts);
  for (const [setting, value] of Object.entries(values) as [Setting, Json | undefined][]) {
    if (value === undefined) continue;
    for (const target of bindings[setting] ?? []) put(graph, target, value);
  }
  const isBatch = ({ node, input }: Target) =>
    bindings.batch_size?.some((one) => one.node === node && one.input === input);
  if (request.steps !== undefined) moveHandovers(graph, workflow, request.steps);
  for (const [text, value] of Object.entries(request.comfyui ?? {})) {
    const { target } = readTarget(graph, text);
    if (target === undefined) lacks.push({ what: 'input', asked: text, near: nearInputs(graph, text) });
    else if (isBatch(target) && value !== 1) lacks.push(severalAtOnce(text, value));
    else put(graph, target, value);
  }
  const named = Object.keys(graph).flatMap((node) =>
    inputsOf(graph, node).flatMap((input) =>
      /^(ckpt|unet|vae|lora)_name$/.test(input) ? [{ node, input }] : [],
    ),
  );
  const files = distinct([...(bindings.checkpoint ?? []), ...(bindings.vae ?? []), ...named]);
  return { graph, lacks, files };
}

/** The passes of a schedule go on where they left off when it has other steps. */
function moveHandovers(graph: Graph, { graph: file, bindings, used }: Workflow, steps: number): void {
  const [first] = bindings.steps ?? [];
  const before = first && Number(valueAt(file, first));
  if (before === undefined || !(before > 0)) return;
  for (const target of handoversOf(file, used, before)) {
    put(graph, target, handover(Number(valueAt(file, target)), before, steps));
  }
}

const severalAtOnce = (input: string, value: Json): Lack => ({
  what: 'way to make several images at once',
  asked: `${input}: ${JSON.stringify(value)}`,
  near: [],
  advice: ": take it out, and say with 'count' how many",
});

function valuesOf(request: ImageRequest, parts: Parts): { [setting in Setting]: Json | undefined } {
  const named = request.sampler === undefined ? undefined : comfySampler(request.sampler);
  return {
    prompt: request.prompt,
    negative_prompt: request.negative_prompt,
    seed: request.seed,
    width: request.width,
    height: request.height,
    steps: request.steps,
    cfg_scale: request.cfg_scale,
    sampler: named?.sampler,
    scheduler: request.scheduler === undefined ? named?.scheduler : comfyScheduler(request.scheduler),
    checkpoint: request.checkpoint,
    vae: vaeOf(request),
    clip_skip: request.clip_skip === undefined ? undefined : -request.clip_skip,
    denoising_strength: request.denoising_strength,
    init_image: parts.initImage,
    mask: parts.mask,
    batch_size: 1,
    filename_prefix: parts.filenamePrefix,
  };
}

/** A1111's words for "the checkpoint's own". */
function vaeOf({ vae }: ImageRequest): string | undefined {
  return vae === undefined || /^(automatic|none)$/i.test(vae) ? undefined : vae;
}

/** Settings that were asked for and that no node of the workflow takes: without them it would be another image. */
function unsupported(request: ImageRequest, { graph, bindings }: Workflow, repairs: boolean): Lack[] {
  const { scheduler, clip_skip: clipSkip = 1 } = request;
  const asked: { [setting in Setting]?: boolean } = {
    sampler: request.sampler !== undefined,
    scheduler: scheduler !== undefined && comfyScheduler(scheduler) !== undefined,
    checkpoint: request.checkpoint !== undefined,
    vae: vaeOf(request) !== undefined,
    clip_skip: clipSkip > 1,
    init_image: request.init_image !== undefined && !repairs,
    mask: request.mask !== undefined && !repairs,
  };
  const missing = (Object.keys(asked) as Setting[]).filter(
    (setting) => asked[setting] && bindings[setting] === undefined,
  );
  const foreign = [
    ...(request.hires === undefined || repairs ? [] : ['hires']),
    ...(request.styles?.length ? ['styles'] : []),
    ...(request.tiling ? ['tiling'] : []),
    ...(request.restore_faces ? ['restore_faces'] : []),
  ];
  return [
    ...[...missing, ...foreign].map((setting) => ({ what: 'input', asked: setting, near: [] })),
    // One that goes nowhere at all is told of by itself.
    ...uncountable(request).filter(({ asked }) => bindings[asked as Setting] !== undefined),
    // What a repair's workflow repairs with is its own affair.
    ...(repairs ? [] : unreadLoras(request.prompt, graph, bindings)),
  ];
}

/** ComfyUI's own encoders: `<lora:...>` is but words to them. An extension's may know better. */
const encoder =
  /^(CLIPTextEncode(Controlnet|Flux|HiDream|HunyuanDiT|Kandinsky5|Lumina2|PixArtAlpha|SD3|SDXL|SDXLRefiner)?|TextEncode(QwenImageEdit|QwenImageEditPlus|ZImageOmni))$/;

function unreadLoras(prompt: string, graph: Graph, bindings: Bindings): Lack[] {
  const isPlain = bindings.prompt?.some(({ node }) => encoder.test(graph[node]?.class_type ?? ''));
  const asked = isPlain ? prompt.match(/<lora:[^<>]*>/gi) : null;
  const advice = ' in a prompt: add a LoraLoader node to the workflow';
  return [...new Set(asked)].map((lora) => ({ what: 'way to read', asked: lora, near: [], advice }));
}

function put(graph: Graph, { node, input }: Target, value: Json): void {
  const inputs = graph[node]?.inputs;
  if (inputs) inputs[input] = exact(value);
}

/** JSON numbers end at 2^53; ComfyUI's seeds do not, and it reads text as a number. */
function exact(value: Json): Json {
  const tooLarge = typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value);
  return tooLarge ? BigInt(value).toString() : value;
}

function nearInputs(graph: Graph, text: string): string[] {
  const problem = readTarget(graph, text).problem ?? '';
  return /Did you mean (.*)\?$/.exec(problem)?.[1]?.split(', or ') ?? [];
}

/**
 * Where the server shall save the image. Never used twice, since the server's cache answers a
 * repeated one with its old file, wherever that is now.
 */
export function filenamePrefix({ attempt, remoteId }: GenerateJob): string {
  const run = attempt.run.replace(/[^\w-]+/g, '_');
  return `reroll/${run}/${attempt.shot}-${attempt.number}-${remoteId.slice(0, 8)}`;
}
