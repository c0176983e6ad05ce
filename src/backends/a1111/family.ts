import { NetError, type HttpClient } from '../../net/index.js';
import type { Body } from './mapping.js';
import { openapi, version, type ServerOptions } from './schema.js';

/** What sets the members of the family apart, as data: nothing else in this folder asks for a product's name. */
export interface Family {
  product: string;
  version?: string;
  /** It takes our force_task_id and tells by it whose work is being done (POST /internal/progress). */
  taskIds: boolean;
  /** Which names of a sampler it takes. Any other name becomes its default, silently, or an error. */
  samplerNames: 'exact' | 'any-case' | 'aliases';
  /** How a scheduler is asked for: A1111's field, SD.Next's, or, before A1111 1.9, a sampler that has both names. */
  scheduler: 'scheduler' | 'schedulers_sigma' | 'in the sampler';
  /** The setting that chooses a VAE, and the list of them. */
  vae: { setting: 'sd_vae' | 'forge_additional_modules'; list: '/sdapi/v1/sd-vae' | '/sdapi/v1/sd-modules' };
  /** CLIP skip is a setting of the server, or a field of the request. */
  clipSkip: 'setting' | 'field';
  /** Whose fields the hires pass needs beside A1111's. */
  hires: 'A1111' | 'Forge' | 'SD.Next';
  /** Settings that it leaves out of its /options while they have these values. */
  unsaid: Body;
  /** The page that says which checkpoint is loaded, where a server with none answers 200 without images. */
  loaded?: '/sdapi/v1/checkpoint';
}

/** SD.Next's schedulers, by our names in lower case. Any other name is none to it, silently. */
export const sigmas: { readonly [name: string]: string } = {
  automatic: 'default',
  default: 'default',
  karras: 'karras',
  beta: 'betas',
  betas: 'betas',
  exponential: 'exponential',
  lambdas: 'lambdas',
  flowmatch: 'flowmatch',
};

/** A1111's "DPM++ 2M Karras" as two names: SD.Next takes it for none. */
export function asTwo(sampler: string): { sampler: string; scheduler: string } | undefined {
  const [, name, scheduler] = /^(.+) (karras|exponential|beta)$/i.exec(sampler) ?? [];
  return name === undefined || scheduler === undefined ? undefined : { sampler: name, scheduler };
}

const a1111: Family = {
  product: 'AUTOMATIC1111',
  taskIds: true,
  samplerNames: 'exact',
  scheduler: 'scheduler',
  vae: { setting: 'sd_vae', list: '/sdapi/v1/sd-vae' },
  clipSkip: 'setting',
  hires: 'A1111',
  unsaid: {},
};
const reForge: Family = { ...a1111, product: 'reForge', samplerNames: 'any-case' };
const forge: Family = {
  ...a1111,
  product: 'Forge',
  vae: { setting: 'forge_additional_modules', list: '/sdapi/v1/sd-modules' },
  hires: 'Forge',
};
const sdNext: Family = {
  ...a1111,
  product: 'SD.Next',
  taskIds: false,
  samplerNames: 'aliases',
  scheduler: 'schedulers_sigma',
  clipSkip: 'field',
  hires: 'SD.Next',
  unsaid: { sd_vae: 'Automatic' },
  loaded: '/sdapi/v1/checkpoint',
};

/** What is known of a server since it was last probed. */
export interface Server {
  family: Family;
  options: ServerOptions;
}

/** Reads which server this is from the list of paths that it serves. */
export async function identify(http: HttpClient, signal: AbortSignal): Promise<Family> {
  const api = openapi.safeParse(await optional(http.getJson('/openapi.json', { signal }), 500)).data;
  const family = await identifyBy(api && new Set(Object.keys(api.paths)), http, signal);
  const sketch = api?.info?.description?.startsWith('sketch') === true;
  return sketch ? { ...family, product: `${family.product} (sketch)` } : family;
}

/** `paths` is undefined where the server keeps no list, or cannot make it: some extensions break it. */
async function identifyBy(
  paths: Set<string> | undefined,
  http: HttpClient,
  signal: AbortSignal,
): Promise<Family> {
  if (paths === undefined || paths.has('/sdapi/v1/version')) {
    const found = version.safeParse(await optional(http.getJson('/sdapi/v1/version', { signal })));
    if (found.success) {
      const { commit, updated } = found.data;
      // It reads its version with git: where there is none, as in many containers, all is 'unknown'.
      const known = [commit, updated].find((word) => word !== undefined && word !== 'unknown');
      return known === undefined ? sdNext : { ...sdNext, version: known };
    }
  }
  if (paths === undefined) return a1111;
  const taskIds = paths.has('/internal/progress');
  const scheduler = paths.has('/sdapi/v1/schedulers') ? 'scheduler' : 'in the sampler';
  return { ...(paths.has('/sdapi/v1/sd-modules') ? forge : a1111), taskIds, scheduler };
}

/**
 * A1111 and reForge serve the same paths; only the version in an image's info tells them apart:
 * `v1.10.1` and `f1.7.0-v1.10.1RC-...` (Forge: `f2.0.1v1.10.1-...`).
 */
export function withVersion(family: Family, found: string | undefined): Family {
  if (found === undefined || found === '' || found === family.version) return family;
  const isReForge = family.product === a1111.product && /^f[^-]*-v\d/.test(found);
  const { taskIds, scheduler } = family;
  return { ...(isReForge ? { ...reForge, taskIds, scheduler } : family), version: found };
}

/**
 * Undefined where the server has no such page; some answer with their web page then. `broken`: a status that says so
 * too. FastAPI checks its own replies, and an extension or an odd file makes a page that is 500 for ever.
 * Any other failure says nothing about the page, and is thrown: a proxy's 502 must not become "has no ADetailer".
 */
export async function optional(reply: Promise<unknown>, broken?: 500): Promise<unknown> {
  return reply.catch((error: unknown) => {
    if (!(error instanceof NetError)) throw error;
    if (error.kind === 'not-json' || [404, 405, broken].includes(error.status ?? 0)) return undefined;
    throw error;
  });
}
