import { z } from 'zod';
import { defaultModel } from '../base/default-model.js';
import { devices } from '../base/devices.js';
import { dtypes, type Dtype } from '../base/dtypes.js';
import type { Repair, Rung } from '../loop/index.js';
import { backend } from './backends.js';
import { checkFilename } from './filename.js';
import { adjust, anySetting, generate, matrix } from './settings.js';
import { name, oneOf, optional, share, strict, tags, text } from './shapes.js';

/** What a prompt, and a row of a prompt file, may say besides its text. */
const promptBasics = optional({
  name: name()
    .describe(
      "The prompt's name in file names. Left out: `p` and its place; rows of a named file get a number.",
    )
    .meta({ examples: ['pianist'] }),
  count: z
    .int()
    .min(1)
    .max(1_000_000)
    .describe('How many images. Left out: 1.')
    .meta({ examples: [4] }),
  priority: z
    .int()
    .min(-1000)
    .max(1000)
    .describe('Larger goes first. Left out: 0.')
    .meta({ examples: [5] }),
  tags: tags()
    .describe('Only servers that have all of these tags.')
    .meta({ examples: [['sdxl']] }),
});

export const prompt = strict({
  ...optional({
    text: text()
      .describe('The prompt, with `{a|b}` choices and `__wildcards__`. Either this or `file`.')
      .meta({ examples: ['a woman waving, {soft|hard} light, in __city__'] }),
    file: text()
      .describe('Prompts from a .txt, .csv or .jsonl file. Either this or `text`.')
      .meta({ examples: ['prompts.txt'] }),
    matrix: matrix
      .describe('Lists of settings: a shot for every combination of one value from each.')
      .meta({ examples: [{ cfg_scale: [5, 7], steps: [20, 30] }] }),
  }),
  ...promptBasics,
  ...anySetting,
}).refine(
  ({ text, file }) => (text === undefined) !== (file === undefined),
  'a prompt has either a text or a file.',
);

/** A line of a .jsonl file, a row of a .csv file. */
export const row = strict({
  ...optional({ text: text(), prompt: text() }),
  ...promptBasics,
  ...anySetting,
}).refine(
  ({ text, prompt }) => (text === undefined) !== (prompt === undefined),
  "a row has its prompt in the column 'text' (or 'prompt').",
);

export type Row = z.output<typeof row>;

const rule = strict({
  labels: z
    .array(text())
    .min(1)
    .describe('Labels of the model; `*` stands for any letters. Their probabilities are added up.')
    .meta({ examples: [['*Bad_Anatomy']] }),
  ...optional({
    threshold: share()
      .describe('Reject from this sum on, 0 to 1.')
      .meta({ examples: [0.5] }),
    when: z
      .literal('top')
      .describe('Reject when the most probable label is one of these.')
      .meta({ examples: ['top'] }),
    review: share()
      .describe('From here up to `threshold` a person is asked to look at the image.')
      .meta({ examples: [0.35] }),
  }),
})
  .refine(
    (rule) => rule.threshold !== undefined || rule.when !== undefined,
    "a rule needs 'threshold', or 'when: top'.",
  )
  .refine(
    ({ review, threshold }) => review === undefined || (threshold !== undefined && review < threshold),
    {
      path: ['review'],
      message: "'review' is the lower end of a band: it must be smaller than 'threshold'.",
    },
  );

const gate = strict({
  model: z
    .union([text(), z.array(text()).min(1)])
    .default(defaultModel)
    .describe(
      'The classifier: a repository on the Hugging Face Hub, or a folder, whose path begins with `.` or `/`; or `demo`, ' +
        'the small model that comes with reroll and knows drawings alone. Or a list of them that judge together: all must know the same labels.',
    )
    .meta({ examples: ['./models/mine'] }),
  combine: z
    .enum(['mean', 'max'])
    .default('mean')
    .describe("What becomes of several models' probabilities of a label: their mean, or the largest.")
    .meta({ examples: ['max'] }),
  ...optional({
    dtype: z
      .enum(Object.keys(dtypes) as [Dtype, ...Dtype[]])
      .describe("Which of the model's files to use. Left out: fp32.")
      .meta({ examples: ['q8'] }),
    device: z
      .enum(devices)
      .describe(
        'Where the classifier runs. Left out: cpu. `cuda` needs libraries that no install brings: where they are missing, the error names the command that fetches them.',
      )
      .meta({ examples: ['cuda'] }),
  }),
  reject: z
    .array(rule)
    .min(1)
    .default([{ labels: ['*Bad_Anatomy'], threshold: 0.5 }])
    .describe('Rules; an image is rejected when one of them fires.')
    .meta({ examples: [[{ labels: ['*Bad_Anatomy'], threshold: 0.4 }]] }),
});

const repairs = {
  adetailer: strict({
    with: z.literal('adetailer').describe("A1111's ADetailer extension."),
    ...optional({
      model: text()
        .describe('Its detector.')
        .meta({ examples: ['hand_yolov8n.pt'] }),
      prompt: text()
        .describe('The prompt for the repaired part.')
        .meta({ examples: ['detailed hand'] }),
      denoising_strength: share()
        .describe('How far the repaired part may change.')
        .meta({ examples: [0.4] }),
      confidence: share()
        .describe('How sure the detector must be.')
        .meta({ examples: [0.3] }),
    }),
  }),
  workflow: strict({
    with: z.literal('workflow').describe('A ComfyUI workflow that takes the candidate.'),
    workflow: text()
      .describe("Saved by ComfyUI's Export (API).")
      .meta({ examples: ['workflows/hands.api.json'] }),
    ...optional({
      bindings: z
        .record(z.string(), text())
        .describe(
          'Which input of which node takes the candidate (`init_image`), where reroll cannot find it by itself, or a ' +
            'setting: `prompt`, `seed`, `steps` and so on, as for a backend.',
        )
        .meta({ examples: [{ init_image: '10.inputs.image' }] }),
    }),
  }),
} satisfies { [With in Repair['with']]: z.ZodObject };

const rungs = {
  new_seed: z
    .literal(true)
    .describe('Draw a new seed.')
    .meta({ examples: [true] }),
  adjust: adjust
    .describe('Change settings. Changes add up from attempt to attempt.')
    .meta({ examples: [{ cfg_scale: '+1', negative_prompt_append: 'fused fingers' }] }),
  repair: oneOf('with', repairs)
    .describe(
      'Repair the last candidate instead of making a new one. After a repair that changed nothing a new one is made.',
    )
    .meta({ examples: [{ with: 'adetailer', model: 'hand_yolov8n.pt' }] }),
} satisfies { [Kind in Rung['kind']]: z.ZodType };

/** The keys of a rung, one of which it has. */
export const rungKinds = Object.keys(rungs) as (keyof typeof rungs)[];

const rung = z.union([
  z.literal('new_seed'),
  strict(
    optional({
      ...rungs,
      times: z
        .int()
        .min(1)
        .max(1000)
        .describe('How many attempts in a row. Left out: 1.')
        .meta({ examples: [2] }),
    }),
  ).refine(
    (rung) => rungKinds.filter((kind) => rung[kind] !== undefined).length === 1,
    "a rung is one of 'new_seed', 'adjust: {...}' or 'repair: {...}'.",
  ),
]);

const retry = strict({
  attempts: z
    .int()
    .min(1)
    .max(1000)
    .default(4)
    .describe('Attempts per shot, the first one included.')
    .meta({ examples: [6] }),
  ...optional({
    run_attempts: z
      .int()
      .min(1)
      .max(1_000_000_000)
      .describe("Attempts of the whole run. Left out: no bound beside each shot's.")
      .meta({ examples: [2000] }),
  }),
  ladder: z
    .array(rung)
    .min(1)
    .default(['new_seed'])
    .describe('What changes from one attempt to the next, from attempt 2 on. The last rung repeats.')
    .meta({ examples: [['new_seed', { adjust: { cfg_scale: '+1' } }]] }),
  on_exhausted: z
    .enum(['keep_best', 'discard', 'review'])
    .default('keep_best')
    .describe(
      'What to do when no attempt was accepted: publish the best one, though it was rejected, publish none, or lay it ' +
        'before a person.',
    )
    .meta({ examples: ['discard'] }),
});

const output = strict({
  dir: text()
    .default('out')
    .describe('Where images go: each run makes its own folder in it.')
    .meta({ examples: ['out'] }),
  filename: z
    .string()
    .default('{{prompt}}-{{shot}}-{{seed}}')
    .superRefine((template, context) => {
      for (const message of checkFilename(template)) context.addIssue({ code: 'custom', message });
    })
    .describe("Names an image below its run's folder, without extension. See [file names](#file-names).")
    .meta({ examples: ['{{prompt}}/{{shot}}-{{seed}}'] }),
  keep_rejected: z
    .literal([true, false, 'thumbnails'])
    .default('thumbnails')
    .describe(
      'What is kept of rejected images: `thumbnails` for the report, the images too (`true`), or nothing (`false`).',
    )
    .meta({ examples: [true] }),
});

/** The pipeline file. From this one schema come the checks, the JSON schema and docs/pipeline.md. */
export const schema = strict({
  ...optional({
    extends: z
      .union([text(), z.array(text())])
      .describe(
        'Other files whose settings count where this file says nothing. See [several files](#several-files).',
      )
      .meta({ examples: [['./backends.yaml']] }),
    name: name()
      .describe("The run's name. Left out: the file's.")
      .meta({ examples: ['portraits'] }),
    seed: z
      .int()
      .min(0)
      .max(2 ** 32 - 1)
      .describe('The same file with the same seed asks for the same images. Left out: random, and recorded.')
      .meta({ examples: [1234] }),
    wildcards: text()
      .describe('The folder of the wildcard files: `__city__` is a line of `city.txt` in it.')
      .meta({ examples: ['./wildcards'] }),
  }),
  pictures: z
    .array(text())
    .default([])
    .describe(
      "Folders, beside the pipeline's own, from which the rows of prompt files may take pictures (`init_image`, `mask`).",
    )
    .meta({ examples: [['../poses']] }),
  backends: z.array(backend).min(1).describe('The servers. See [backends](#backends).'),
  generate: generate
    .prefault({})
    .describe('Settings of every prompt that does not say otherwise.')
    .meta({ examples: [{ width: 512, height: 768 }] }),
  prompts: z
    .array(prompt)
    .min(1)
    .describe('What to make.')
    .meta({ examples: [[{ text: 'a pianist', count: 4 }]] }),
  gate: gate
    .prefault({})
    .describe('What to reject.')
    .meta({ examples: [{ model: './models/mine' }] }),
  retry: retry
    .prefault({})
    .describe('How often to try again, and what to change.')
    .meta({ examples: [{ attempts: 6 }] }),
  output: output
    .prefault({})
    .describe('Where the images go.')
    .meta({ examples: [{ dir: 'out' }] }),
});

export type Settled = z.output<typeof schema>;
