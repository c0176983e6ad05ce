import { HttpAnswer } from '../../http.js';
import {
  modulesOf,
  samplerAndScheduler,
  knownSamplers,
  knownSchedulers,
  type Sampler,
} from '../catalogue.js';
import { img2img, txt2img, type Fields } from '../fields.js';
import { a1111, askedNames } from './a1111.js';
import type { Family } from './family.js';

const onlyForge: Fields = { distilled_cfg_scale: ['float', 3.5] };

const sampler = (name: string, alias: string): Sampler => ({ name, aliases: [alias], options: {} });

const samplers = [
  ...knownSamplers,
  sampler('HeunPP2', 'heunpp2'),
  sampler('IPNDM', 'ipndm'),
  sampler('IPNDM_V', 'ipndm_v'),
  sampler('DEIS', 'deis'),
];

const schedulers = [
  ...knownSchedulers,
  { name: 'turbo', label: 'Turbo', aliases: null, default_rho: -1, need_inner_model: true },
  {
    name: 'align_your_steps_GITS',
    label: 'Align Your Steps GITS',
    aliases: null,
    default_rho: -1,
    need_inner_model: false,
  },
];

/** lllyasviel's Forge, of June 2025. */
export const forge: Family = {
  ...a1111,
  fields: {
    txt2img: {
      ...txt2img,
      ...onlyForge,
      hr_cfg: ['float', 1],
      hr_distilled_cfg: ['float', 3.5],
      hr_additional_modules: ['list', null],
    },
    img2img: { ...img2img, ...onlyForge },
  },
  samplers,
  schedulers: schedulers.map((scheduler) => ({ ...scheduler })),
  modules: 'sd-modules',
  // AUTOMATIC1111's middleware is switched off: an HTTPException is FastAPI's own, others have `message`.
  failure: (status, error, detail, errors = '') =>
    error === 'HTTPException'
      ? new HttpAnswer(status, { detail })
      : new HttpAnswer(status, { error, detail, body: '', message: errors }),
  names: (request) => samplerAndScheduler(samplers, schedulers, ...askedNames(request)),
  check: (kind, request) => {
    if (kind === 'img2img' && request.list('init_images') === undefined) {
      throw forge.failure(404, 'HTTPException', 'Init image not found');
    }
    if (request.flag('enable_hr') && request.list('hr_additional_modules') === undefined) {
      throw forge.failure(500, 'TypeError', '', "argument of type 'NoneType' is not iterable");
    }
  },
  settings: (job, seed) => {
    const { VAE, Version, ...others } = a1111.settings(job, seed);
    const modules = modulesOf(job.modules, VAE).map((name, index) => [`Module ${index + 1}`, name] as const);
    return { ...others, Version, ...Object.fromEntries(modules) };
  },
};
