import type { z } from 'zod';
import type { HttpClient } from '../../net/index.js';
import { optional, type Family } from './family.js';
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
    await optional(this.#http.postJson(refresh, {}, { signal }), 500);
    this.#cache.set(refresh, true); // once between two probes is enough
    this.#cache.delete(loras);
    return read();
  }

  checkpoints = (signal: AbortSignal) => this.#read('/sdapi/v1/sd-models', schema.checkpoints, signal);
  samplers = (signal: AbortSignal) => this.#read('/sdapi/v1/samplers', schema.samplers, signal);
  /** Those of the field of that name: SD.Next's list is of something else, and broken. */
  schedulers = async ({ scheduler }: Family, signal: AbortSignal) =>
    scheduler === 'scheduler' ? this.#read('/sdapi/v1/schedulers', schema.schedulers, signal) : undefined;
  vaes = (family: Family, signal: AbortSignal) => this.#read(family.vae.list, schema.vaes, signal);
  #loras = (signal: AbortSignal) => this.#read(loras, schema.loras, signal);
  styles = async (signal: AbortSignal) =>
    (await this.#read('/sdapi/v1/prompt-styles', schema.named, signal))?.map(({ name }) => name);
  scripts = (signal: AbortSignal) => this.#read('/sdapi/v1/scripts', schema.scripts, signal);
  detectors = (signal: AbortSignal) => this.#read('/adetailer/v1/ad_model', schema.detailerModels, signal);

  /** What settings are by default. */
  defaults = async (signal: AbortSignal) =>
    (await this.#read('/sdapi/v1/options-info', schema.optionsInfo, signal))?.options;

  async upscalers(signal: AbortSignal): Promise<string[] | undefined> {
    const lists = await Promise.all([
      this.#read('/sdapi/v1/upscalers', schema.named, signal),
      this.#read('/sdapi/v1/latent-upscale-modes', schema.named, signal),
    ]);
    return lists[0] && lists.flatMap((list) => list ?? []).map(({ name }) => name);
  }

  async #read<T>(path: string, shape: z.ZodType<T>, signal: AbortSignal): Promise<T | undefined> {
    // Lists are kept, not questions under way, since one caller's abort is not the next one's; nor the lack of a
    // list, which may be a moment's stumble.
    const kept = this.#cache.get(path) as T | undefined;
    if (kept !== undefined) return kept;
    const list = shape.safeParse(await optional(this.#http.getJson(path, { signal }), 500)).data;
    if (list !== undefined) this.#cache.set(path, list);
    return list;
  }
}
