import { z } from 'zod';

/** What is read of the server's JSON; everything else is ignored, and a field of an odd type counts as not there. */
const text = z.string().optional().catch(undefined);
const number = z.number().optional().catch(undefined);

export const systemStats = z.object({
  system: z.object({ comfyui_version: text, python_version: text }),
});

export const posted = z.object({
  prompt_id: text,
  node_errors: z.record(z.string(), z.unknown()).nullish().catch(undefined),
});

/** One thing that is wrong with a node, or with the whole prompt. */
const problem = z.object({
  type: text,
  message: text,
  details: text,
  extra_info: z
    .object({
      input_name: text,
      received_value: z.unknown(),
      node_id: text,
      class_type: text,
    })
    .optional()
    .catch(undefined),
});
export type Problem = z.infer<typeof problem>;

export const nodeError = z.object({ class_type: text, errors: z.array(problem).catch([]) });

/** The body of a 400. */
export const refusal = z.object({
  error: z.union([problem, z.string()]).optional().catch(undefined),
  node_errors: z.record(z.string(), z.unknown()).optional().catch(undefined),
});

/** `[number, prompt_id, graph, extra_data, outputs]`. */
const extra = z.object({ client_id: text }).optional().catch(undefined);
const item = z.tuple([z.unknown(), z.string(), z.unknown().optional(), extra]).rest(z.unknown());
export const queue = z.object({ queue_running: z.array(item), queue_pending: z.array(item) });

const message = z.tuple([z.string(), z.record(z.string(), z.unknown()).catch({})]).rest(z.unknown());
export const history = z.record(
  z.string(),
  z.object({
    prompt: z.array(z.unknown()).optional().catch(undefined),
    outputs: z.record(z.string(), z.unknown()).catch({}),
    status: z
      .object({
        status_str: text,
        completed: z.boolean().optional().catch(undefined),
        messages: z.array(z.unknown()).catch([]),
      })
      .nullish()
      .catch(undefined),
  }),
);
export type HistoryEntry = z.infer<typeof history>[string];

export const executionError = z.object({
  node_id: text,
  node_type: text,
  exception_message: text,
  exception_type: text,
});

/** The last message of a kind that an entry of the history has. */
export function lastMessage(entry: HistoryEntry, kind: string): { [field: string]: unknown } | undefined {
  const messages = (entry.status?.messages ?? []).map((one) => message.safeParse(one).data);
  return messages.findLast((one) => one?.[0] === kind)?.[1];
}

/** Beside files, outputs hold texts, flags and what extensions like. */
export const file = z.object({ filename: z.string(), subfolder: z.string().catch(''), type: z.string() });
export type File = z.infer<typeof file>;

export const uploaded = z.object({ name: z.string(), subfolder: z.string().catch('') });
export const cancelled = z.object({ cancelled: z.boolean() });

const inputs = z.record(z.string(), z.array(z.unknown()).catch([])).optional().catch(undefined);
export const objectInfo = z.record(
  z.string(),
  z.object({
    input: z.object({ required: inputs, optional: inputs }).catch({ required: {}, optional: {} }),
    // Calls a paid service of comfy.org.
    api_node: z.boolean().optional().catch(undefined),
  }),
);
export type NodeInfo = z.infer<typeof objectInfo>[string];

export const event = z.object({
  type: z.string(),
  data: z.object({
    prompt_id: text,
    node: z.string().nullish().catch(undefined),
    value: number,
    max: number,
  }),
});
