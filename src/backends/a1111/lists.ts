import type { z } from 'zod';
import type { HttpClient } from '../../net/index.js';
import type { ImageRequest } from '../../loop/index.js';
import { near } from '../near.js';
import type { Lack } from '../port.js';
import { stem } from '../stem.js';
import { findCheckpoint } from './checks.js';
import { asTwo, optional, sigmas, type Family } from './family.js';
import { detectorOf, type ADetailerRepair } from './mapping.js';
import * as schema from './schema.js';

const loras = '/sdapi/v1/loras';
const refresh = '/sdapi/v1/refresh-loras';

/** A server's own lists, each read when it is first asked for. Undefined: the server has no such list. */
export class Lists {
  readonly #http: HttpClient;
  readonly #cache = new Map<string, unknown>();

  constructor(http: HttpClient) {
    this.#http = http;
  }

  forget(): void {
    this.#cache.clear();
  }

  /**
   * The names of its LoRAs, `asked` among them if it has it. A file that came after the server's start is found
   * when it is used, but is in this list only once the server was told to look again.
   */
  async loraNames(asked: string, signal: AbortSignal): Promise<string[] | undefined> {
    const read = async () => (await this.#loras(signal))?.flatMap(({ name, alias }) => [name, alias ?? name]);
    const names = await read();
    if (names === undefined || names.includes(asked) || this.#cache.has(refresh)) return names;
    await optional(this.#http.postJson(refresh, {}, { signal }));
    this.#cache.set(refresh, true); // once between two probes is enough
    this.#cache.delete(loras);
    return read();
  }

  checkpoints = (signal: AbortSignal) => this.#read('/sdapi/v1/sd-models', schema.checkpoints, signal);
  samplers = (signal: AbortSignal) => this.#read('/sdapi/v1/samplers', schema.samplers, signal);
  schedulers = (signal: AbortSignal) => this.#read('/sdapi/v1/schedulers', schema.schedulers, signal);
  vaes = (family: Family, signal: AbortSignal) => this.#read(family.vae.list, schema.vaes, signal);
  #loras = (signal: AbortSignal) => this.#read(loras, schema.loras, signal);
  styles = async (signal: AbortSignal) =>
    (await this.#read('/sdapi/v1/prompt-styles', schema.named, signal))?.map(({ name }) => name);
  scripts = (signal: AbortSignal) => this.#read('/sdapi/v1/scripts', schema.scripts, signal);
  detectors = (signal: AbortSignal) => this.#read('/adetailer/v1/ad_model', schema.detailerModels, signal);

  async upscalers(signal: AbortSignal): Promise<string[] | undefined> {
    const lists = await Promise.all([
      this.#read('/sdapi/v1/upscalers', schema.named, signal),
      this.#read('/sdapi/v1/latent-upscale-modes', schema.named, signal),
    ]);
    return lists[0] && lists.flatMap((list) => list ?? []).map(({ name }) => name);
  }

  async #read<T>(path: string, shape: z.ZodType<T>, signal: AbortSignal): Promise<T | undefined> {
    // Answers are kept, not questions under way: one caller's abort is not the next one's.
    if (!this.#cache.has(path)) {
      const reply = await optional(this.#http.getJson(path, { signal }));
      this.#cache.set(path, shape.safeParse(reply).data);
    }
    return this.#cache.get(path) as T | undefined;
  }
}

/** What the server lacks for the request, by its own lists. A list that it does not have is not held against it. */
export async function findMissing(
  request: ImageRequest,
  family: Family,
  lists: Lists,
  signal: AbortSignal,
): Promise<Lack[]> {
  const lacks: (Lack | undefined)[] = [];
  const { checkpoint, sampler, scheduler, vae, hires } = request;
  if (checkpoint !== undefined) {
    const known = await lists.checkpoints(signal);
    if (known && !findCheckpoint(checkpoint, known)) {
      const names = known.map(({ title, model_name }) => title ?? model_name ?? '');
      lacks.push({ what: 'checkpoint', asked: checkpoint, near: near(checkpoint, names) });
    }
  }
  if (sampler !== undefined) {
    const known = await lists.samplers(signal);
    const schedulers = (await lists.schedulers(signal)) ?? [];
    const asked = family.scheduler === 'scheduler' ? sampler : (asTwo(sampler)?.sampler ?? sampler);
    if (known && !known.some((one) => takesSampler(family, one, asked, schedulers))) {
      lacks.push({
        what: 'sampler',
        asked: sampler,
        near: near(
          sampler,
          known.map(({ name }) => name),
        ),
      });
    }
  }
  if (scheduler !== undefined) {
    const known = await lists.schedulers(signal);
    const names = known?.flatMap(({ name, label }) => [name, label ?? name]);
    lacks.push(
      family.scheduler === 'scheduler'
        ? lack('scheduler', scheduler, names)
        : lack('scheduler', scheduler, Object.keys(sigmas), sameInAnyCase),
    );
  }
  if (vae !== undefined && !/^(automatic|none)$/i.test(vae)) {
    const known = await lists.vaes(family, signal);
    if (known && !findVae(vae, known)) {
      lacks.push({
        what: 'vae',
        asked: vae,
        near: near(
          vae,
          known.map(({ model_name }) => model_name),
        ),
      });
    }
  }
  if (hires?.upscaler !== undefined) {
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
  return lacks.filter((one) => one !== undefined);
}

/** What ADetailer lacks for a repair. It fails silently where it is not there, and for a model that it does not have. */
export async function findMissingDetector(
  repair: ADetailerRepair,
  lists: Lists,
  signal: AbortSignal,
): Promise<Lack[]> {
  const scripts = (await lists.scripts(signal))?.img2img ?? [];
  if (!scripts.some((name) => sameInAnyCase(name, 'adetailer'))) {
    return [{ what: 'extension', asked: 'ADetailer', near: [] }];
  }
  const models = (await lists.detectors(signal))?.ad_model;
  return [lack('ADetailer model', detectorOf(repair), models)].filter((one) => one !== undefined);
}

const sameInAnyCase = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

function lack(
  what: string,
  asked: string,
  names: readonly string[] | undefined,
  same = (a: string, b: string) => a === b,
): Lack | undefined {
  if (names === undefined || names.some((name) => same(name, asked))) return undefined;
  return { what, asked, near: near(asked, names) };
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
function askedLoras({ prompt, negative_prompt: negative }: ImageRequest): string[] {
  const asked = [prompt, negative].flatMap((text) => [...text.matchAll(/<lora:([^:>]+)/gi)]);
  return [...new Set(asked.map(([, name = '']) => name.trim()))];
}

function askedScripts(request: ImageRequest): string[] {
  const { script_name: script, alwayson_scripts: always } = request.a1111 ?? {};
  const names = typeof always === 'object' && always !== null ? Object.keys(always) : [];
  return typeof script === 'string' && script !== '' ? [script, ...names] : names;
}
