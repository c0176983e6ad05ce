import { z } from 'zod';

/**
 * What is read of the servers' JSON; everything else is ignored. A field of an unexpected type
 * counts as not there (`catch`), so that one odd extension does not make a good reply unusable.
 */
const text = z.string().optional().catch(undefined);
const number = z.number().optional().catch(undefined);
const flag = z.boolean().optional().catch(undefined);

export const imageReply = z.object({
  images: z.array(z.string()).nullish().catch(undefined),
  /** JSON in a string, '' where SD.Next failed quietly. */
  info: z.string().nullish().catch(undefined),
});

export const generationInfo = z.object({
  seed: number,
  prompt: text,
  all_prompts: z.array(z.string()).optional().catch(undefined),
  all_seeds: z.array(z.number()).optional().catch(undefined),
  width: number,
  height: number,
  sampler_name: text,
  sd_model_name: text,
  sd_model_hash: text,
  /** null: no VAE but the checkpoint's own. SD.Next does not say. */
  sd_vae_name: z.string().nullish().catch(undefined),
  infotexts: z.array(z.string()).optional().catch(undefined),
  index_of_first_image: number,
  job_timestamp: text,
  version: text,
});
export type GenerationInfo = z.infer<typeof generationInfo>;

/** GET /sdapi/v1/progress: of the whole server, whoever asked for what it does. */
export const serverProgress = z.object({
  progress: number,
  state: z
    .object({
      interrupted: flag,
      skipped: flag,
      job: text,
      job_count: number,
      job_no: number,
      job_timestamp: text,
      sampling_step: number,
    })
    .optional()
    .catch(undefined),
});
export type ServerProgress = z.infer<typeof serverProgress>;

/** POST /internal/progress: of one task, by its force_task_id. */
export const taskProgress = z.object({
  active: flag,
  queued: flag,
  completed: flag,
  progress: number,
});
export type TaskProgress = z.infer<typeof taskProgress>;

/** Every setting of the server: a request may change any of them. */
export const options = z.object({ sd_model_checkpoint: text }).catchall(z.json());
export type ServerOptions = z.infer<typeof options>;

export const openapi = z.object({
  info: z.object({ description: text }).optional().catch(undefined),
  paths: z.record(z.string(), z.unknown()),
});
/** SD.Next's GET /sdapi/v1/version. */
export const version = z.object({ commit: text, updated: text });

/** SD.Next's GET /sdapi/v1/options-info: what it knows of its settings, said or not. */
export const optionsInfo = z.object({
  options: z.record(z.string(), z.object({ default: z.json().optional() })),
});

/** SD.Next's GET /sdapi/v1/checkpoint: `type` is null while none is loaded. */
export const loaded = z.object({ type: z.string().nullable() });

export const checkpoints = z.array(
  z.object({ title: text, model_name: text, hash: text, sha256: text, filename: text }),
);
export type Checkpoint = z.infer<typeof checkpoints>[number];
export const samplers = z.array(
  z.object({ name: z.string(), aliases: z.array(z.string()).optional().catch(undefined) }),
);
export type Sampler = z.infer<typeof samplers>[number];
export const schedulers = z.array(z.object({ name: z.string(), label: text }));
export type Scheduler = z.infer<typeof schedulers>[number];
export const vaes = z.array(z.object({ model_name: z.string(), filename: text }));
export type Vae = z.infer<typeof vaes>[number];
/** Names of files, and what their authors call them. */
export const loras = z.array(z.object({ name: z.string(), alias: text }));
export const named = z.array(z.object({ name: z.string() }));
export const scripts = z.object({
  txt2img: z.array(z.string()).optional().catch(undefined),
  img2img: z.array(z.string()).optional().catch(undefined),
});
export const detailerModels = z.object({ ad_model: z.array(z.string()) });

/** An error's body, of any of the family: A1111 says `errors`, Forge `message`, FastAPI `detail`. */
export const failure = z.object({
  error: text,
  detail: z.unknown(),
  errors: text,
  message: text,
});
