import { NetError, type HttpClient } from '../../net/index.js';
import { openapi, version } from './schema.js';

/** What sets the members of the family apart, as data: nothing else in this folder asks for a product's name. */
export interface Family {
  product: string;
  version?: string;
  /** It takes our force_task_id and tells by it whose work is being done (POST /internal/progress). */
  taskIds: boolean;
  /** Which names of a sampler it takes. Any other name becomes its default, silently, or an error. */
  samplerNames: 'exact' | 'any-case' | 'aliases';
  /** How a scheduler is asked for: A1111's field, or SD.Next's. */
  scheduler: 'scheduler' | 'schedulers_sigma';
  /** The setting that chooses a VAE, and the list of them. */
  vae: { setting: 'sd_vae' | 'forge_additional_modules'; list: '/sdapi/v1/sd-vae' | '/sdapi/v1/sd-modules' };
  /** CLIP skip is a setting of the server, or a field of the request. */
  clipSkip: 'setting' | 'field';
  /** The hires pass needs Forge's own fields: without them it fails, or loses its negative prompt. */
  forgeHires: boolean;
}

const a1111: Family = {
  product: 'AUTOMATIC1111',
  taskIds: true,
  samplerNames: 'exact',
  scheduler: 'scheduler',
  vae: { setting: 'sd_vae', list: '/sdapi/v1/sd-vae' },
  clipSkip: 'setting',
  forgeHires: false,
};
const reForge: Family = { ...a1111, product: 'reForge', samplerNames: 'any-case' };
const forge: Family = {
  ...a1111,
  product: 'Forge',
  vae: { setting: 'forge_additional_modules', list: '/sdapi/v1/sd-modules' },
  forgeHires: true,
};
const sdNext: Family = {
  ...a1111,
  product: 'SD.Next',
  taskIds: false,
  samplerNames: 'aliases',
  scheduler: 'schedulers_sigma',
  clipSkip: 'field',
};

/** Reads which server this is from the list of paths that it serves. */
export async function identify(http: HttpClient, signal: AbortSignal): Promise<Family> {
  const api = openapi.safeParse(await optional(http.getJson('/openapi.json', { signal }))).data;
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
    if (found.success) return { ...sdNext, version: found.data.commit ?? found.data.updated ?? 'unknown' };
  }
  if (paths === undefined) return a1111;
  const taskIds = paths.has('/internal/progress');
  return { ...(paths.has('/sdapi/v1/sd-modules') ? forge : a1111), taskIds };
}

/**
 * A1111 and reForge serve the same paths; only the version in an image's info tells them apart:
 * `v1.10.1` and `f1.7.0-v1.10.1RC-...` (Forge: `f2.0.1v1.10.1-...`).
 */
export function withVersion(family: Family, found: string | undefined): Family {
  if (found === undefined || found === '' || found === family.version) return family;
  const isReForge = family.product === a1111.product && /^f[^-]*-v\d/.test(found);
  return { ...(isReForge ? { ...reForge, taskIds: family.taskIds } : family), version: found };
}

/** Undefined where the server has no such page. */
export async function optional(reply: Promise<unknown>): Promise<unknown> {
  return reply.catch((error: unknown) => {
    if (error instanceof NetError && (error.kind === 'status' || error.kind === 'not-json')) return undefined;
    throw error;
  });
}
