import { HttpAnswer, isObject, type JsonObject } from '../http.js';

type Type = 'str' | 'int' | 'float' | 'bool' | 'list' | 'dict';

/** A request field: its type and default, as pydantic makes them of the real server's classes. */
export type Fields = Readonly<Record<string, readonly [Type, unknown]>>;

const common: Fields = {
  prompt: ['str', ''],
  negative_prompt: ['str', ''],
  styles: ['list', null],
  seed: ['int', -1],
  subseed: ['int', -1],
  subseed_strength: ['float', 0],
  seed_resize_from_h: ['int', -1],
  seed_resize_from_w: ['int', -1],
  sampler_name: ['str', null],
  scheduler: ['str', null],
  batch_size: ['int', 1],
  n_iter: ['int', 1],
  steps: ['int', 50],
  cfg_scale: ['float', 7],
  width: ['int', 512],
  height: ['int', 512],
  restore_faces: ['bool', null],
  tiling: ['bool', null],
  do_not_save_samples: ['bool', false],
  do_not_save_grid: ['bool', false],
  eta: ['float', null],
  s_min_uncond: ['float', null],
  s_churn: ['float', null],
  s_tmax: ['float', null],
  s_tmin: ['float', null],
  s_noise: ['float', null],
  override_settings: ['dict', null],
  override_settings_restore_afterwards: ['bool', true],
  refiner_checkpoint: ['str', null],
  refiner_switch_at: ['float', null],
  disable_extra_networks: ['bool', false],
  firstpass_image: ['str', null],
  comments: ['dict', null],
  sampler_index: ['str', 'Euler'],
  script_name: ['str', null],
  script_args: ['list', []],
  send_images: ['bool', true],
  save_images: ['bool', false],
  alwayson_scripts: ['dict', {}],
  force_task_id: ['str', null],
  infotext: ['str', null],
};

export const txt2img: Fields = {
  ...common,
  enable_hr: ['bool', false],
  denoising_strength: ['float', 0.75],
  firstphase_width: ['int', 0],
  firstphase_height: ['int', 0],
  hr_scale: ['float', 2],
  hr_upscaler: ['str', null],
  hr_second_pass_steps: ['int', 0],
  hr_resize_x: ['int', 0],
  hr_resize_y: ['int', 0],
  hr_checkpoint_name: ['str', null],
  hr_sampler_name: ['str', null],
  hr_scheduler: ['str', null],
  hr_prompt: ['str', ''],
  hr_negative_prompt: ['str', ''],
};

export const img2img: Fields = {
  ...common,
  init_images: ['list', null],
  resize_mode: ['int', 0],
  denoising_strength: ['float', 0.75],
  image_cfg_scale: ['float', null],
  mask: ['str', null],
  mask_blur_x: ['int', 4],
  mask_blur_y: ['int', 4],
  mask_blur: ['int', null],
  mask_round: ['bool', true],
  inpainting_fill: ['int', 0],
  inpaint_full_res: ['bool', true],
  inpaint_full_res_padding: ['int', 0],
  inpainting_mask_invert: ['int', 0],
  initial_noise_multiplier: ['float', null],
  latent_mask: ['str', null],
  include_init_images: ['bool', false],
};

/** A request with every field: defaults filled in, numbers in strings read, unknown fields dropped. */
export class Request {
  constructor(readonly values: JsonObject) {}

  text(field: string): string {
    return this.name(field) ?? '';
  }

  /** Undefined where the field is null. */
  name(field: string): string | undefined {
    const value = this.values[field];
    return typeof value === 'string' && value !== '' ? value : undefined;
  }

  number(field: string): number {
    return Number(this.values[field] ?? 0);
  }

  flag(field: string): boolean {
    return this.values[field] === true;
  }

  list(field: string): unknown[] | undefined {
    const value = this.values[field];
    return Array.isArray(value) ? value : undefined;
  }

  dict(field: string): JsonObject {
    const value = this.values[field];
    return isObject(value) ? value : {};
  }
}

/** Reads a body as pydantic 1 does. @throws HttpAnswer 422 that lists every field of a wrong type. */
export function readRequest(body: unknown, fields: Fields): Request {
  if (!isObject(body)) {
    throw invalid([{ loc: ['body'], msg: 'value is not a valid dict', type: 'type_error.dict' }]);
  }
  const problems: JsonObject[] = [];
  const values = Object.entries(fields).map(([field, [type, fallback]]) => {
    const given = body[field];
    if (given === undefined || given === null) return [field, given === null ? null : fallback] as const;
    const value = coerce(given, type);
    if (value === undefined) problems.push({ loc: ['body', field], ...messages[type] });
    return [field, value] as const;
  });
  if (problems.length > 0) throw invalid(problems);
  return new Request(Object.fromEntries(values));
}

/** The body of a POST as JSON. @throws HttpAnswer 422 as FastAPI does. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    const problem = { loc: ['body', 0], msg: String(error), type: 'value_error.jsondecode' };
    throw invalid(body.length === 0 ? [{ loc: ['body'], ...missing }] : [problem]);
  }
}

const missing = { msg: 'field required', type: 'value_error.missing' };

const messages: Readonly<Record<Type, { msg: string; type: string }>> = {
  str: { msg: 'str type expected', type: 'type_error.str' },
  int: { msg: 'value is not a valid integer', type: 'type_error.integer' },
  float: { msg: 'value is not a valid float', type: 'type_error.float' },
  bool: { msg: 'value could not be parsed to a boolean', type: 'type_error.bool' },
  list: { msg: 'value is not a valid list', type: 'type_error.list' },
  dict: { msg: 'value is not a valid dict', type: 'type_error.dict' },
};

function invalid(detail: JsonObject[]): HttpAnswer {
  return new HttpAnswer(422, { detail });
}

function coerce(value: unknown, type: Type): unknown {
  switch (type) {
    case 'str':
      return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
    case 'int':
    case 'float': {
      if (typeof value === 'string' ? value.trim() === '' : typeof value !== 'number') return undefined;
      const number = Number(value);
      if (!Number.isFinite(number)) return undefined;
      return type === 'int' ? Math.trunc(number) : number;
    }
    case 'bool':
      if (value === true || value === 1 || value === 'true') return true;
      return value === false || value === 0 || value === 'false' ? false : undefined;
    case 'list':
      return Array.isArray(value) ? value : undefined;
    case 'dict':
      return isObject(value) ? value : undefined;
  }
}
