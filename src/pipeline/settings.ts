import { z } from 'zod';
import type { ImageRequest } from '../loop/index.js';
import { mapShape, optional, share, strict, text } from './shapes.js';

const pixels = (): z.ZodNumber => z.int().min(64).max(4096).multipleOf(8);

/** Scripts of A1111 and SD.Next whose reply is a grid of images. */
const severalAtOnce = /^(x\/y(\/z)? (plot|grid)|xyz grid.*|prompt matrix|prompts from file( or textbox)?)$/i;

/** What an image request may say besides its prompt. The spelling is that of ImageRequest. */
export const settings = {
  negative_prompt: z
    .string()
    .describe('What the image should not show.')
    .meta({ examples: ['worst quality, low quality'] }),
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .describe(
      "The first image's seed; with `count`, the next ones take the seeds that follow. Left out: drawn from the run's seed.",
    )
    .meta({ examples: [1234] }),
  width: pixels()
    .describe('Pixels, a multiple of 8.')
    .meta({ examples: [512] }),
  height: pixels()
    .describe('Pixels, a multiple of 8.')
    .meta({ examples: [768] }),
  steps: z
    .int()
    .min(1)
    .max(500)
    .describe('Sampling steps.')
    .meta({ examples: [25] }),
  cfg_scale: z
    .number()
    .min(0)
    .max(100)
    .describe('How closely the image follows the prompt.')
    .meta({ examples: [6] }),
  sampler: text()
    .describe("The server's own name of the sampler. Left out: the workflow's, or the server's default.")
    .meta({ examples: ['DPM++ 2M'] }),
  scheduler: text()
    .describe("The server's own name of the noise schedule.")
    .meta({ examples: ['karras'] }),
  checkpoint: text()
    .describe('The model file on the server.')
    .meta({ examples: ['someCheckpoint.safetensors'] }),
  vae: text()
    .describe('The VAE file on the server.')
    .meta({ examples: ['vae-ft-mse.safetensors'] }),
  clip_skip: z
    .int()
    .min(1)
    .max(12)
    .describe("Take the text encoder's output this many layers before its end.")
    .meta({ examples: [2] }),
  denoising_strength: share()
    .describe('How far an image that is started from may change, 0 to 1.')
    .meta({ examples: [0.6] }),
  styles: z
    .array(text())
    .describe('Names of prompt styles that are kept on the server (A1111).')
    .meta({ examples: [['film grain']] }),
  tiling: z
    .boolean()
    .describe('Make an image that tiles (A1111).')
    .meta({ examples: [true] }),
  restore_faces: z
    .boolean()
    .describe("Run the server's face restoration (A1111).")
    .meta({ examples: [true] }),
  init_image: text()
    .describe(
      'A picture to start from (img2img). In `generate`, prompts and matrices also a folder, or a glob such as ' +
        '`poses/*.png`: a shot for each picture.',
    )
    .meta({ examples: ['sketches/pose.png'] }),
  mask: text()
    .describe('A mask for `init_image`: white is painted anew.')
    .meta({ examples: ['sketches/mask.png'] }),
  hires: strict({
    scale: z
      .number()
      .min(1)
      .max(8)
      .describe('How many times larger the image becomes.')
      .meta({ examples: [2] }),
    ...optional({
      upscaler: text()
        .describe("The server's own name of the upscaler.")
        .meta({ examples: ['Latent'] }),
      steps: z
        .int()
        .min(0)
        .max(500)
        .describe('Steps of the second pass; 0 takes as many as the first.')
        .meta({ examples: [10] }),
      denoising_strength: share()
        .describe('How far the second pass may change the image.')
        .meta({ examples: [0.5] }),
    }),
  })
    .describe("Generate small, upscale, refine (A1111's hires fix).")
    .meta({ examples: [{ scale: 2 }] }),
  a1111: z
    .record(z.string(), z.json())
    .refine(
      ({ batch_size: batch = 1, n_iter: batches = 1 }) => batch === 1 && batches === 1,
      "one request makes one image. Say how many images with 'count', and take batch_size and n_iter out.",
    )
    .refine(
      ({ script_name: script }) => typeof script !== 'string' || !severalAtOnce.test(script.trim()),
      "this script makes several images of one request. Write a 'matrix' or several prompts, and take script_name out.",
    )
    .describe(
      "Fields that go to A1111's API as they are, over ours. In `alwayson_scripts` a text that ends in .png, .jpg, " +
        '.jpeg or .webp is the path of a picture, and the picture is sent.',
    )
    .meta({ examples: [{ s_churn: 0.1 }] }),
  comfyui: z
    .record(z.string(), z.json())
    .describe('Inputs that go into the ComfyUI workflow as they are.')
    .meta({ examples: [{ '12.inputs.strength': 0.8 }] }),
};

/** Every setting has a name here, and every name here is a setting: checked by the compiler. */
settings satisfies {
  [K in Exclude<keyof Required<ImageRequest>, 'prompt' | 'adjust'>]: z.ZodType<Required<ImageRequest>[K]>;
};

export const anySetting = optional(settings);

/** backends/a1111/mapping.ts has them. */
const unsaidOnA1111: Readonly<Record<string, number | string>> = {
  negative_prompt: 'none',
  width: 512,
  height: 512,
  steps: 20,
  cfg_scale: 7,
};

/** The settings of every prompt that does not say otherwise. */
export const generate = strict(
  optional(
    mapShape(settings, (schema, key) => {
      const unsaid = unsaidOnA1111[key];
      if (unsaid === undefined) return schema;
      const words = `${schema.description ?? ''} Left out: the workflow's; on A1111 servers ${unsaid}.`;
      return schema.describe(words).meta({ examples: schema.meta()?.examples });
    }) as typeof settings,
  ),
);

type Matrix = { [K in keyof typeof settings]?: z.output<(typeof settings)[K]>[] };

/** Lists of values to combine. */
export const matrix = strict(
  mapShape(settings, (schema) =>
    z.exactOptional(z.array(schema).min(1)).describe('Values to combine with those of the other keys.'),
  ),
) as unknown as z.ZodType<Matrix>;

const relative = z
  .string()
  .regex(/^[+*-]\s*\d+(\.\d+)?$/, 'a change of a number is written "+1", "-0.05" or "*1.2", with quotes.');

const promptChanges = (prompt: string, example: string): Record<string, z.ZodType> => {
  const words = prompt.replace('_', ' ');
  return {
    [`${prompt}_append`]: text()
      .describe(`Put after the ${words}, once.`)
      .meta({ examples: [example] }),
    [`${prompt}_prepend`]: text()
      .describe(`Put before the ${words}, once.`)
      .meta({ examples: [example] }),
    [`${prompt}_replace`]: z
      .string()
      .describe(`Takes the place of the whole ${words}.`)
      .meta({ examples: [example] }),
  };
};

/** What a rung may also change by "+1" and the like. */
export const changeable: ReadonlySet<string> = new Set([
  'width',
  'height',
  'steps',
  'cfg_scale',
  'clip_skip',
  'denoising_strength',
]);

/** What a rung may change: any setting, numbers also by a change, prompts also in part. */
export const adjust = strict({
  ...mapShape(settings, (schema, key) =>
    z.exactOptional(
      changeable.has(key) ? z.union([schema, relative]).describe(schema.description ?? '') : schema,
    ),
  ),
  prompt: z.exactOptional(
    text()
      .describe('Takes the place of the whole prompt.')
      .meta({ examples: ['a hand'] }),
  ),
  ...optional({
    ...promptChanges('prompt', 'detailed hands'),
    ...promptChanges('negative_prompt', 'extra fingers'),
  }),
});
