import sharp from 'sharp';
import { BackendError } from '../../errors.js';
import type { Json } from '../../loop/index.js';
import { parseJson } from '../../net/index.js';
import type { GenerateJob } from '../port.js';
import { linkOf, valueAt, type Graph } from './graph.js';
import type { HistoryEntry } from './schema.js';
import type { Workflow } from './workflow.js';

/**
 * A cache or a proxy that mixes replies up hands out somebody else's prompt. Throws a transient BackendError where the
 * history's entry says that it has another id, or was made for another attempt.
 */
export function checkEntry(
  backend: string,
  entry: HistoryEntry,
  id: string,
  attempt: GenerateJob['attempt'],
): void {
  const [, named, , extra] = entry.prompt ?? [];
  if (typeof named === 'string' && named !== id)
    throw another(backend, `prompt ${id} was asked for, and it is of ${named}`);
  const made = (extra as { reroll?: Partial<GenerateJob['attempt']> | null } | null | undefined)?.reroll;
  if (typeof made !== 'object' || made === null) return;
  const keys = ['run', 'shot', 'number'] as const;
  if (keys.some((key) => made[key] !== attempt[key])) {
    const [asked, got] = [attempt, made].map(
      ({ run, shot, number }) => `${run}, shot ${shot}, attempt ${number}`,
    );
    throw another(backend, `${asked} was asked for, and it is of ${got}`);
  }
}

/**
 * The same where the picture itself names another seed in the workflow that ComfyUI writes into it, or has another
 * size than the one that was asked for and nothing in the workflow changes it.
 */
export async function checkPicture(
  backend: string,
  image: Buffer,
  graph: Graph,
  workflow: Workflow,
): Promise<void> {
  const header = await sharp(image)
    .metadata()
    .catch(() => undefined); // what is no picture is refused by others
  if (header === undefined) return;
  const [seedAt] = workflow.bindings.seed ?? [];
  const made = readGraph(header.comments?.find(({ keyword }) => keyword === 'prompt')?.text);
  const asked = seedAt && plain(valueAt(graph, seedAt));
  const used = seedAt && plain(made?.[seedAt.node]?.inputs?.[seedAt.input]);
  if (asked !== undefined && used !== undefined && asked !== used) {
    throw another(backend, `seed ${asked} was asked for, and it is of seed ${used}`);
  }
  const size = sizeOf(graph, workflow);
  // A latent's cells are 8 to 32 pixels, and the rest is cut off.
  if (size && (Math.abs(size.width - header.width) >= 64 || Math.abs(size.height - header.height) >= 64)) {
    throw another(
      backend,
      `${size.width}x${size.height} was asked for, and it is ${header.width}x${header.height}`,
    );
  }
}

function another(backend: string, what: string): BackendError {
  return new BackendError(
    `sent the image of another request: ${what}. Look for a cache or a proxy before it; restart it.`,
    { backend, fault: 'transient' },
  );
}

/** What nobody has checked yet. */
type Written = { [id: string]: { inputs?: { [input: string]: Json } | null } | null } | null;

function readGraph(text: string | undefined): Written | undefined {
  try {
    return parseJson(text ?? '') as Written;
  } catch {
    return undefined; // savers of others write what they like
  }
}

/** A number may be written as text. */
const plain = (value: Json | undefined): string | undefined =>
  value === undefined || linkOf(value) || typeof value === 'object' ? undefined : String(value);

/** ComfyUI's own nodes between an empty latent and the file that leave the size as it is. */
const keepsSize =
  /^(KSampler(Advanced|Select)?|SamplerCustom(Advanced)?|Empty\w*Latent\w*|VAEDecode(Tiled)?|SaveImage|PreviewImage|\w*Loader\w*|CLIP\w+|Model\w+|FluxGuidance|(Basic|CFG)Guider|\w+Scheduler|RandomNoise|Conditioning\w+|Primitive\w+)$/;

function sizeOf(graph: Graph, { bindings, used }: Workflow): { width: number; height: number } | undefined {
  if (!used.every((id) => keepsSize.test(graph[id]?.class_type ?? ''))) return undefined;
  const [width, height] = [bindings.width, bindings.height].map((targets) => {
    const value = targets?.[0] && valueAt(graph, targets[0]);
    return typeof value === 'number' ? value : undefined;
  });
  return width === undefined || height === undefined ? undefined : { width, height };
}
