import { z } from 'zod';
import { ConfigError } from '../../errors.js';
import { otherSavers } from './batches.js';
import { findBindings, readBindings, type Bindings } from './bindings.js';
import { makingOf, samplersOf } from './discover.js';
import type { Stays } from './elsewhere.js';
import { linkOf, nodeName, type Graph } from './graph.js';
import { keepingNone, savingItsPicture } from './outputs.js';

/** A workflow file that ComfyUI's File > Export (API) wrote. */
export interface WorkflowFile {
  text: string;
  /** For messages. */
  path: string;
}

/** A workflow and where in it each setting goes. */
export interface Workflow {
  path: string;
  graph: Graph;
  bindings: Bindings;
  /** Where another value of a bound setting stands, which no request changes. */
  stays: Stays;
  /** Nodes that save other pictures on the way, which nobody looks at. */
  aside: string[];
  /** The node that saves the picture. */
  output: string | undefined;
  /** Where on the server that is. */
  folder: 'output' | 'temp';
  /** The nodes that the picture is made by. */
  used: string[];
  /** The nodes that take the time: their steps are the progress. */
  samplers: string[];
}

/** What a bare NaN or Infinity is read as: no text of a user's. */
const notANumber = '\0NaN';

/**
 * Reads a workflow and finds where each setting goes; `explicit` (setting -> `"3.inputs.seed"`) goes
 * before what is found. `keepImages` false: its savers leave nothing in the server's output folder. ConfigError where it is no API-format workflow, or a binding leads nowhere.
 */
export function readWorkflow(
  file: WorkflowFile,
  explicit: { [setting: string]: string } = {},
  keepImages = true,
): Workflow {
  const read = readGraph(file);
  const saving = explicit['filename_prefix'] === undefined ? savingItsPicture(read, file.path) : read;
  const { filename_prefix: saver, ...others } = readBindings(saving, explicit, file.path);
  const given = saver && keepImages ? { ...others, filename_prefix: saver } : others;
  const making = makingOf(saving, saver?.[0]?.node);
  const { made, aside } = saver ? { made: [], aside: [] } : otherSavers(saving, making);
  if (made.length > 0 && making.output !== undefined) {
    const names = [making.output, ...made].map((id) => nodeName(saving, id)).join(', ');
    throw new ConfigError(
      `${file.path} makes several images: ${names} save what different samplers make. A shot is one image: take the other savers out, or say under bindings which one counts, for example filename_prefix: "${making.output}.inputs.filename_prefix".`,
    );
  }
  const graph = keepImages ? saving : keepingNone(saving, file.path);
  return {
    path: file.path,
    aside,
    folder: keepImages ? 'output' : 'temp',
    graph,
    ...findBindings(graph, making, given, file.path),
    ...making,
    samplers: samplersOf(graph, Object.keys(graph)),
  };
}

function readGraph({ text, path }: WorkflowFile): Graph {
  const value = unwrapped(parse(text, path));
  if (!isRecord(value)) {
    throw new ConfigError(`${path} is no ComfyUI workflow: it must be a JSON object of nodes.`);
  }
  if ('nodes' in value && Array.isArray(value.nodes)) {
    throw new ConfigError(
      `${path} is a workflow as ComfyUI's editor saves it, which its API does not take: export it with File > Export (API).`,
    );
  }
  const graph: Graph = {};
  for (const [id, raw] of Object.entries(value)) {
    // Tools keep notes of their own beside the nodes ("_comment"); ComfyUI refuses the whole for one.
    if (/^[\d:]+$/.test(id) || (isRecord(raw) && 'class_type' in raw)) graph[id] = readNode(id, raw, path);
  }
  if (Object.keys(graph).length === 0) throw new ConfigError(`${path} has no nodes.`);
  for (const id of Object.keys(graph)) checkInputs(graph, id, path);
  return graph;
}

/** What is posted to an API has the workflow within, at ComfyUI's under `prompt`; people keep that too. */
const wrappers = ['prompt', 'workflow', 'input'];
const deepest = 3;

function unwrapped(value: unknown, depth = 0): unknown {
  if (!isRecord(value) || isGraph(value) || depth === deepest) return value;
  const inner = wrappers.flatMap((key) => (isRecord(value[key]) ? [unwrapped(value[key], depth + 1)] : []));
  return inner.find(isGraph) ?? inner[0] ?? value;
}

const isGraph = (value: unknown): boolean =>
  isRecord(value) && Object.values(value).some((node) => isRecord(node) && 'class_type' in node);

function isRecord(value: unknown): value is { [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What ComfyUI wrote beside these (`is_changed`) would make it skip its own check for changed files. */
const node = z.object({
  class_type: z.string(),
  inputs: z.record(z.string(), z.json()).default({}),
  _meta: z.object({ title: z.string().optional() }).optional().catch(undefined),
});

function readNode(id: string, raw: unknown, path: string): Graph[string] {
  const parsed = node.safeParse(raw);
  if (!parsed.success) {
    throw new ConfigError(
      `${path}: node ${id} has no class_type and inputs, so this is no workflow in API format: export it with File > Export (API).`,
    );
  }
  return parsed.data as Graph[string];
}

function checkInputs(graph: Graph, id: string, path: string): void {
  for (const [input, value] of Object.entries(graph[id]?.inputs ?? {})) {
    if (value === notANumber) {
      throw new ConfigError(
        `${path}: input ${input} of ${nodeName(graph, id)} is NaN or Infinity, which is no value: write a number there.`,
      );
    }
    const from = linkOf(value)?.node;
    if (from !== undefined && graph[from] === undefined) {
      throw new ConfigError(
        `${path}: input ${input} of ${nodeName(graph, id)} comes from node ${from}, which is not there.`,
      );
    }
  }
}

/**
 * Strings and fractions are matched too, so that what stands in them is left alone; a string that never ends, up to
 * the end, so that nobody looks for its end again from every quote in it.
 */
const special =
  /"[^"\\]*(?:\\[^]?[^"\\]*)*(?:"|$)|-?\bInfinity\b|\bNaN\b|-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** JSON as Python writes it. Whole numbers beyond 2^53 (seeds) become text, which ComfyUI reads as numbers. */
function parse(text: string, path: string): unknown {
  const plain = text.replace(special, (match) => {
    if (match.startsWith('"')) return match;
    if (/[NI]/.test(match)) return JSON.stringify(notANumber);
    return /^-?\d{16,}$/.test(match) && !Number.isSafeInteger(Number(match)) ? `"${match}"` : match;
  });
  try {
    return JSON.parse(plain);
  } catch (cause) {
    throw new ConfigError(`${path} is no JSON: ${cause instanceof Error ? cause.message : String(cause)}.`, {
      cause,
    });
  }
}
