import { BackendError } from '../../errors.js';
import { isScriptPicture, type ImageRequest, type Json } from '../../loop/index.js';
import type { GenerateJob, ReadFile } from '../port.js';
import { unreadable } from '../unreadable.js';
import { findCheckpoint } from './checks.js';
import type { Family, Server } from './family.js';
import type { Lists } from './lists.js';
import { toCall, type Body, type Call, type Parts } from './mapping.js';
import { findJoined, findVae } from './missing.js';
import { sizeOf } from './reply.js';

/** Makes of a job the call to post: its pictures read, its names the server's own. Throws `request` faults. */
export class Drafts {
  /** Settings that our requests changed on the server, as they were before the first of them. */
  readonly #putBack: Body = {};

  readonly #name: string;
  readonly #lists: Lists;
  readonly #readFile: ReadFile;

  constructor(name: string, lists: Lists, readFile: ReadFile) {
    this.#name = name;
    this.#lists = lists;
    this.#readFile = readFile;
  }

  async callOf(job: GenerateJob, server: Server, signal: AbortSignal): Promise<Call> {
    const { request, remoteId } = job;
    const parts: Parts = { remoteId, putBack: this.#putBack };
    if (job.repair) {
      const { repair, candidate } = job.repair;
      if (repair.with !== 'adetailer') throw this.#error('cannot run a ComfyUI workflow to repair an image.');
      const size = await sizeOf(candidate);
      Object.assign(parts, { repair, initImage: candidate.toString('base64') }, size && { size });
    } else {
      if (request.init_image !== undefined) parts.initImage = await this.#read(request.init_image);
      if (request.mask !== undefined) parts.mask = await this.#read(request.mask);
    }
    Object.assign(parts, await this.#ownNames(request, server.family, signal));
    const a1111 = request.a1111 && (await this.#withPictures(request.a1111));
    const call = toCall({ ...request, ...(a1111 && { a1111 }) }, parts, server.family);
    await this.#remember(call.body['override_settings'] as Body, server, signal);
    return call;
  }

  /** What the server itself calls the request's checkpoint, VAE and sampler, where it lists them. */
  async #ownNames(request: ImageRequest, family: Family, signal: AbortSignal): Promise<Partial<Parts>> {
    const { checkpoint, vae, sampler, scheduler } = request;
    const names: Partial<Parts> = {};
    if (checkpoint !== undefined) {
      const title = findCheckpoint(checkpoint, (await this.#lists.checkpoints(signal)) ?? [])?.title;
      if (title !== undefined) names.checkpoint = title;
    }
    if (vae !== undefined) {
      const found = findVae(vae, (await this.#lists.vaes(family, signal)) ?? []);
      const name = family.vae.setting === 'sd_vae' ? found?.model_name : found?.filename;
      if (name !== undefined) names.vae = name;
    }
    if (family.scheduler === 'in the sampler' && sampler !== undefined && scheduler !== undefined) {
      const joined = findJoined(sampler, scheduler, (await this.#lists.samplers(signal)) ?? []);
      if (joined !== undefined) names.sampler = joined;
    }
    return names;
  }

  /** Settings stay as a request left them; a later request that does not name one must find the old value. */
  async #remember(settings: Body, { family, options }: Server, signal: AbortSignal): Promise<void> {
    for (const key of Object.keys(settings)) {
      if (key in this.#putBack) continue;
      let value: Json | undefined = key in options ? options[key] : family.unsaid[key];
      value ??= (await this.#lists.defaults(signal))?.[key]?.default;
      if (value !== undefined) this.#putBack[key] = value;
    }
  }

  /** The user's fields with the pictures of scripts in the place of their paths. */
  async #withPictures(a1111: Body): Promise<Body> {
    const fill = async (value: Json): Promise<Json> => {
      if (typeof value === 'string') return isScriptPicture(value) ? this.#read(value) : value;
      if (typeof value !== 'object' || value === null) return value;
      if (Array.isArray(value)) return Promise.all(value.map(fill));
      const entries = Object.entries(value).map(async ([key, part]) => [key, await fill(part)] as const);
      return Object.fromEntries(await Promise.all(entries));
    };
    const { alwayson_scripts: scripts } = a1111;
    return scripts === undefined ? a1111 : { ...a1111, alwayson_scripts: await fill(scripts) };
  }

  async #read(path: string): Promise<string> {
    const bytes = await this.#readFile(path).catch((error: unknown) => {
      throw unreadable(this.#name, path, error);
    });
    return bytes.toString('base64');
  }

  #error(message: string): BackendError {
    return new BackendError(message, { backend: this.#name, fault: 'request' });
  }
}
