import { isObject, type JsonObject } from '../http.js';
import type { Detailer } from './family/family.js';

const adVersion = '25.3.0';

export const adModels = [
  'face_yolov8n.pt',
  'face_yolov8s.pt',
  'hand_yolov8n.pt',
  'hand_yolov8s.pt',
  'person_yolov8n-seg.pt',
  'person_yolov8s-seg.pt',
];

/** The keys of ADetailer's args.py. It forbids all others: one misspelled key switches it off without a word. */
const keys = new Set(
  (
    'ad_model ad_model_classes ad_tab_enable ad_prompt ad_negative_prompt ad_confidence ad_mask_filter_method ' +
    'ad_mask_k ad_mask_min_ratio ad_mask_max_ratio ad_dilate_erode ad_x_offset ad_y_offset ad_mask_merge_invert ' +
    'ad_mask_blur ad_denoising_strength ad_inpaint_only_masked ad_inpaint_only_masked_padding ' +
    'ad_use_inpaint_width_height ad_inpaint_width ad_inpaint_height ad_use_steps ad_steps ad_use_cfg_scale ' +
    'ad_cfg_scale ad_use_checkpoint ad_checkpoint ad_use_vae ad_vae ad_use_sampler ad_sampler ad_scheduler ' +
    'ad_use_noise_multiplier ad_noise_multiplier ad_use_clip_skip ad_clip_skip ad_restore_face ' +
    'ad_controlnet_model ad_controlnet_module ad_controlnet_weight ad_controlnet_guidance_start ' +
    'ad_controlnet_guidance_end is_api'
  ).split(' '),
);

const defaultMaxModels = 4;
/** A detector that must be surer finds nothing in a drawing. */
const sureOfHands = 0.8;

/**
 * ADetailer's part of `alwayson_scripts`, if it takes effect: on, with one valid dict at least. Anything else has no
 * effect and no error, and an unknown model has no effect either, but is in the infotext: as in the real script.
 */
export function readADetailer(scripts: JsonObject): Detailer | undefined {
  const script = Object.entries(scripts).find(([name]) => name.toLowerCase() === 'adetailer')?.[1];
  if (!isObject(script) || !Array.isArray(script['args'])) return undefined;
  const args: unknown[] = script['args'];
  if (args[0] === false) return undefined;
  const units = args
    .filter(isObject)
    .slice(0, defaultMaxModels)
    .filter((unit) => Object.keys(unit).every((key) => keys.has(key)))
    .filter((unit) => unit['ad_model'] !== 'None' && unit['ad_tab_enable'] !== false);
  if (units.length === 0) return undefined;
  const unknown = units.findIndex((unit) => !adModels.includes(modelOf(unit)));
  const working = unknown === -1 ? units : units.slice(0, unknown); // it gives up at the first unknown one
  return {
    skipImg2img: args[1] === true,
    hands: working.some((unit) => modelOf(unit).startsWith('hand') && confidenceOf(unit) <= sureOfHands),
    settings: Object.assign({}, ...units.map(settingsOf), { 'ADetailer version': adVersion }) as Settings,
  };
}

const modelOf = (unit: JsonObject): string => String(unit['ad_model']);

const confidenceOf = (unit: JsonObject): number => Number(unit['ad_confidence'] ?? 0.3);

type Settings = Detailer['settings'];

function settingsOf(unit: JsonObject, index: number): Settings {
  const suffix = index === 0 ? '' : ` ${ordinal(index + 1)}`;
  const prompt = unit['ad_prompt'];
  return {
    [`ADetailer model${suffix}`]: modelOf(unit),
    ...(typeof prompt === 'string' && prompt !== '' && { [`ADetailer prompt${suffix}`]: prompt }),
    [`ADetailer confidence${suffix}`]: confidenceOf(unit),
    [`ADetailer dilate erode${suffix}`]: Number(unit['ad_dilate_erode'] ?? 4),
    [`ADetailer mask blur${suffix}`]: Number(unit['ad_mask_blur'] ?? 4),
    [`ADetailer denoising strength${suffix}`]: Number(unit['ad_denoising_strength'] ?? 0.4),
    [`ADetailer inpaint only masked${suffix}`]: 'True',
    [`ADetailer inpaint padding${suffix}`]: Number(unit['ad_inpaint_only_masked_padding'] ?? 32),
  };
}

function ordinal(number: number): string {
  return `${number}${number === 2 ? 'nd' : number === 3 ? 'rd' : 'th'}`;
}
