import { z } from 'zod';
import type { BackendKind } from '../loop/index.js';
import { duration, name, oneOf, optional, share, strict, tags, text } from './shapes.js';

const common = {
  name: name()
    .describe('What messages, the ledger and the manifest call this server. No two may share one.')
    .meta({ examples: ['rtx4090'] }),
  slots: z
    .int()
    .min(1)
    .max(64)
    .default(2)
    .describe(
      'Requests that the server may hold at a time, running or waiting there. Two keep a GPU from idling.',
    )
    .meta({ examples: [2] }),
  tags: tags()
    .default([])
    .describe('Words for routing: a prompt with `tags` goes only to servers that have them all.')
    .meta({ examples: [['sdxl']] }),
};

const remote = {
  url: z
    .string()
    .refine(
      (url) => /^https?:\/\/[^\s/]/i.test(url) && URL.canParse(url),
      'a URL begins with http:// or https://, for example http://127.0.0.1:7860.',
    )
    .describe("The server's address.")
    .meta({ examples: ['http://127.0.0.1:7860'] }),
  stall: duration('10m')
    .default(600_000)
    .describe(
      'How long a server may show no progress on an image before it counts as stuck: milliseconds, or text with a unit.',
    )
    .meta({ examples: ['10m'] }),
  ...optional({
    auth: text()
      .describe(
        '`user:password` for HTTP Basic authentication, or a whole header: `Bearer TOKEN`, `Basic ...`. Take it from ' +
          'the environment; it is never logged.',
      )
      .meta({ examples: ['${A1111_AUTH}'] }),
  }),
};

const a1111 = strict({
  kind: z.literal('a1111').describe('AUTOMATIC1111, Forge, reForge or SD.Next, started with --api.'),
  ...common,
  ...remote,
});

const comfyui = strict({
  kind: z.literal('comfyui').describe('ComfyUI.'),
  ...common,
  ...remote,
  workflow: text()
    .describe(
      "The workflow to fill in: saved by ComfyUI's Export (API), or a PNG, WebP or JPEG that ComfyUI made.",
    )
    .meta({ examples: ['workflows/sd15.api.json'] }),
  keep_images: z
    .boolean()
    .default(true)
    .describe(
      "Whether images stay in the server's output folder, under reroll/RUN. false: they go to its temporary folder, " +
        'which it empties when it starts and ends. Either way nothing is lost when reroll crashes; what a server made ' +
        'and had not handed over when it ended itself is made again.',
    )
    .meta({ examples: [false] }),
  ...optional({
    api_key: text()
      .describe(
        'The key of an account at comfy.org, for workflows with nodes that call its API. Take it from the environment; it is never logged or kept.',
      )
      .meta({ examples: ['${COMFY_API_KEY}'] }),
    bindings: z
      .record(z.string(), text())
      .describe('Which input of which node takes a setting, where reroll cannot find it by itself.')
      .meta({ examples: [{ seed: '3.inputs.seed' }] }),
  }),
});

const sketch = strict({
  kind: z.literal('sketch').describe('A stand-in that draws hands, for trying things out. reroll starts it.'),
  ...common,
  protocol: z
    .enum(['a1111', 'comfyui'])
    .default('a1111')
    .describe('Whose protocol it speaks.')
    .meta({ examples: ['comfyui'] }),
  latency: duration('300ms')
    .prefault('300ms')
    .describe('How long one image takes: milliseconds, or text with a unit.'),
  bad_rate: share()
    .default(0.5)
    .describe('How often a drawn hand is bad, 0 to 1.')
    .meta({ examples: [0.4] }),
  fail: share()
    .default(0)
    .describe('The share of requests that meet a fault, 0 to 1.')
    .meta({ examples: [0.02] }),
  reload: duration('2s').prefault(0).describe('How long another checkpoint takes to load.'),
  ...optional({
    checkpoints: z
      .array(text())
      .min(1)
      .describe('The checkpoints that it says it has.')
      .meta({ examples: [['hands.safetensors']] }),
  }),
});

const kinds = { a1111, comfyui, sketch } satisfies { [Kind in BackendKind | 'sketch']: z.ZodObject };

export const backend = oneOf('kind', kinds);

/** A server of the pipeline. Durations are in milliseconds, `workflow` is absolute. */
export type BackendConfig = z.output<typeof backend>;

type BackendOf<Kind extends BackendConfig['kind']> = Extract<BackendConfig, { kind: Kind }>;

interface Traits {
  /** The files that an entry names, by their keys. */
  files: { [key: string]: string };
  /** Whether the server's side has values of its own for settings that are left out, as a workflow has. */
  hasSettings: boolean;
}

const traits: { [Kind in BackendConfig['kind']]: (backend: BackendOf<Kind>) => Traits } = {
  a1111: () => ({ files: {}, hasSettings: false }),
  comfyui: ({ workflow }) => ({ files: { workflow }, hasSettings: true }),
  sketch: ({ protocol }) => ({ files: {}, hasSettings: protocol === 'comfyui' }),
};

export function traitsOf(backend: BackendConfig): Traits {
  return (traits[backend.kind] as (backend: BackendConfig) => Traits)(backend);
}
