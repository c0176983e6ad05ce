import { settle, type ImageRequest, type Repair } from '../../loop/index.js';
import { lackOf, uncountable } from '../lacks.js';
import { near } from '../near.js';
import type { Lack } from '../port.js';
import { stem } from '../stem.js';
import { findCheckpoint } from './checks.js';
import { asTwo, sigmas, type Family } from './family.js';
import type { Lists } from './lists.js';
import { defaults, detectorOf, type ADetailerRepair, type Settled } from './mapping.js';
import type * as schema from './schema.js';

/** What the server lacks for the request, by its own lists. A list that it does not have is not held against it. */
export async function findMissing(
  asked: ImageRequest,
  repair: Repair | undefined,
  family: Family,
  lists: Lists,
  signal: AbortSignal,
): Promise<Lack[]> {
  const request = settle(asked, defaults);
  const lacks: (Lack | undefined)[] = [...uncountable(request)];
  const { checkpoint, sampler, scheduler, vae, hires } = request;
  if (checkpoint !== undefined) {
    const known = await lists.checkpoints(signal);
    if (known && !findCheckpoint(checkpoint, known)) {
      const names = known.flatMap(({ title, model_name }) => title ?? model_name ?? []);
      lacks.push(lackOf('checkpoint', checkpoint, names));
    }
  }
  if (sampler !== undefined) {
    const known = await lists.samplers(signal);
    const schedulers = (await lists.schedulers(family, signal)) ?? [];
    const asked = family.scheduler === 'schedulers_sigma' ? (asTwo(sampler)?.sampler ?? sampler) : sampler;
    if (known && !known.some((one) => takesSampler(family, one, asked, schedulers))) {
      const names = known.map(({ name }) => name);
      lacks.push(lackOf('sampler', sampler, names));
    }
  }
  if (scheduler !== undefined) {
    lacks.push(await findMissingScheduler(request, family, lists, signal));
  }
  if (vae !== undefined && !/^(automatic|none)$/i.test(vae)) {
    const known = await lists.vaes(family, signal);
    if (known && !findVae(vae, known)) {
      const names = known.map(({ model_name }) => model_name);
      lacks.push(lackOf('vae', vae, names));
    }
  }
  // What is repaired had its hires pass.
  if (hires?.upscaler !== undefined && repair === undefined) {
    lacks.push(lack('upscaler', hires.upscaler, await lists.upscalers(signal)));
  }
  for (const style of request.styles ?? []) {
    lacks.push(lack('style', style, await lists.styles(signal)));
  }
  for (const lora of askedLoras(request)) {
    lacks.push(lack('LoRA', lora, await lists.loraNames(lora, signal)));
  }
  for (const script of askedScripts(request)) {
    const known = await lists.scripts(signal);
    const names = request.init_image === undefined ? known?.txt2img : known?.img2img;
    lacks.push(lack('script', script, names, sameInAnyCase));
  }
  if (repair?.with === 'adetailer') lacks.push(...(await findMissingDetector(repair, lists, signal)));
  return lacks.filter((one) => one !== undefined);
}

/** What ADetailer lacks for a repair. It fails silently where it is not there, and for a model that it does not have. */
async function findMissingDetector(
  repair: ADetailerRepair,
  lists: Lists,
  signal: AbortSignal,
): Promise<Lack[]> {
  const scripts = (await lists.scripts(signal))?.img2img;
  if (scripts && !scripts.some((name) => sameInAnyCase(name, 'adetailer'))) {
    return [{ what: 'extension', asked: 'ADetailer', near: [] }];
  }
  const models = (await lists.detectors(signal))?.ad_model;
  return [lack('ADetailer model', detectorOf(repair), models)].filter((one) => one !== undefined);
}

async function findMissingScheduler(
  { sampler = '', scheduler = '' }: ImageRequest,
  family: Family,
  lists: Lists,
  signal: AbortSignal,
): Promise<Lack | undefined> {
  switch (family.scheduler) {
    case 'scheduler': {
      const known = await lists.schedulers(family, signal);
      const names = known?.flatMap(({ name, label }) => [name, label ?? name]);
      return lack('scheduler', scheduler, names);
    }
    case 'schedulers_sigma':
      return lack('scheduler', scheduler, Object.keys(sigmas), sameInAnyCase);
    case 'in the sampler': {
      const known = await lists.samplers(signal);
      if (!known || /^automatic$/i.test(scheduler) || findJoined(sampler, scheduler, known)) return undefined;
      const names = known.map(({ name }) => name);
      return { what: 'scheduler', asked: scheduler, near: near(`${sampler} ${scheduler}`, names) };
    }
  }
}

/** Before A1111 had schedulers, a sampler with one was a sampler of its own, "DPM++ 2M Karras": its own name. */
export function findJoined(
  sampler: string,
  scheduler: string,
  samplers: readonly schema.Sampler[],
): string | undefined {
  return samplers.find(({ name }) => sameInAnyCase(name, `${sampler} ${scheduler}`))?.name;
}

const sameInAnyCase = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

function lack(
  what: string,
  asked: string,
  names: readonly string[] | undefined,
  same = (a: string, b: string) => a === b,
): Lack | undefined {
  if (names === undefined || names.some((name) => same(name, asked))) return undefined;
  return lackOf(what, asked, names);
}

export function findVae(asked: string, vaes: readonly schema.Vae[]): schema.Vae | undefined {
  return vaes.find(
    ({ model_name, filename }) => model_name === asked || (filename && stem(filename) === stem(asked)),
  );
}

/** A sampler's name, alone or with a scheduler's behind it ("DPM++ 2M Karras"). */
function takesSampler(
  family: Family,
  known: schema.Sampler,
  asked: string,
  schedulers: readonly schema.Scheduler[],
): boolean {
  const fold = (name: string) => (family.samplerNames === 'exact' ? name : name.toLowerCase());
  const names = [known.name, ...(family.samplerNames === 'aliases' ? (known.aliases ?? []) : [])].map(fold);
  const endings = ['', ...schedulers.flatMap(({ name, label }) => [` ${name}`, ` ${label ?? name}`])].map(
    fold,
  );
  return names.some((name) => endings.some((ending) => name + ending === fold(asked)));
}

/** `<lora:NAME:0.8>` in a prompt: these servers leave out silently what they do not have. */
function askedLoras({ prompt, negative_prompt: negative }: Settled): string[] {
  const asked = [prompt, negative].flatMap((text) => [...text.matchAll(/<lora:([^:>]+)/gi)]);
  return [...new Set(asked.map(([, name = '']) => name.trim()))];
}

function askedScripts(request: ImageRequest): string[] {
  const { script_name: script, alwayson_scripts: always } = request.a1111 ?? {};
  const names = typeof always === 'object' && always !== null ? Object.keys(always) : [];
  return typeof script === 'string' && script !== '' ? [script, ...names] : names;
}
