import { BackendError } from '../../errors.js';
import type { Json } from '../../loop/index.js';
import { stem } from '../stem.js';
import type { Body } from './mapping.js';
import type { Picture } from './reply.js';
import type { Checkpoint, GenerationInfo, Sampler, Scheduler } from './schema.js';

/** The server's own names, where they are known: one thing has several. */
export interface Names {
  samplers?: readonly Sampler[] | undefined;
  schedulers?: readonly Scheduler[] | undefined;
  checkpoints?: readonly Checkpoint[] | undefined;
}

/**
 * These servers put something else in the place of what they do not have, and say so nowhere but
 * in the reply's info. Compares it with what was asked (`body`, as sent) and throws a BackendError
 * that names both: made again the same way, it would be wrong again.
 */
export function checkSubstitution(backend: string, body: Body, picture: Picture, names: Names): void {
  const { info, size } = picture;
  const settings = asObject(body['override_settings']);
  const wrong =
    differs('sampler', body['sampler_name'], info.sampler_name, (asked, used) =>
      sameSampler(asked, used, names),
    ) ??
    differs('checkpoint', settings['sd_model_checkpoint'], info.sd_model_name, (asked, used) =>
      sameCheckpoint(asked, used, info.sd_model_hash, names.checkpoints),
    ) ??
    differs(
      'VAE',
      vaeAsked(settings),
      info.sd_vae_name === null ? 'none' : info.sd_vae_name,
      (asked, used) => stem(asked) === stem(used),
    ) ??
    differs(
      'size',
      expectedSize(body),
      size && `${size.width}x${size.height}`,
      (asked, used) => asked === used,
    );
  if (wrong === undefined) return;
  throw new BackendError(
    `${wrong.what} ${wrong.asked} was asked for, but ${wrong.used} was used. The server does this silently with what it does not know: see the names that it lists.`,
    { backend, fault: 'request' },
  );
}

/**
 * ADetailer that does not like its arguments, or is switched off, says so in the server's log alone, and the whole
 * picture is made anew instead. Throws a BackendError where the infotext does not name it. Where it does, it may
 * still have found nothing to repair: then the picture comes back as it was.
 */
export function checkRepaired(backend: string, { infotexts }: GenerationInfo): void {
  if (infotexts?.[0]?.includes('ADetailer model: ') ?? true) return;
  throw new BackendError(
    "ADetailer did not repair the image: the server made it anew instead. ADetailer refuses arguments that it does not know: its words are in the server's log.",
    { backend, fault: 'request' },
  );
}

function differs(
  what: string,
  asked: Json | undefined,
  used: string | number | undefined,
  same: (asked: string, used: string) => boolean,
): { what: string; asked: string; used: string } | undefined {
  // null is the server's default.
  if ((typeof asked !== 'string' && typeof asked !== 'number') || used === undefined) {
    return undefined;
  }
  return same(`${asked}`, `${used}`) ? undefined : { what, asked: `${asked}`, used: `${used}` };
}

/** "DPM++ 2M Karras" is a sampler and a scheduler; an alias is the sampler whose alias it is. */
function sameSampler(asked: string, used: string, { samplers, schedulers }: Names): boolean {
  const [a, b] = [asked.toLowerCase(), used.toLowerCase()];
  if (a === 'default' || a === b) return true;
  const known = samplers?.find((sampler) => sampler.name.toLowerCase() === b);
  if (known?.aliases?.some((alias) => alias.toLowerCase() === a) === true) return true;
  if (!a.startsWith(`${b} `)) return false;
  const rest = a.slice(b.length + 1);
  const words = schedulers?.flatMap(({ name, label }) => [name.toLowerCase(), label?.toLowerCase()]);
  return words?.includes(rest) ?? true;
}

/** Title, file name, model name, short hash and SHA-256 all name a checkpoint. */
function sameCheckpoint(
  asked: string,
  used: string,
  usedHash: string | undefined,
  checkpoints: readonly Checkpoint[] = [],
): boolean {
  const known = findCheckpoint(asked, checkpoints);
  const hash = /\[([0-9a-f]{6,})\]$/i.exec(asked)?.[1] ?? known?.hash ?? known?.sha256 ?? asked;
  if (usedHash && (hash.startsWith(usedHash) || usedHash.startsWith(hash))) return true;
  return [asked, known?.title, known?.model_name, known?.filename].some(
    (name) => name !== undefined && stem(name) === stem(used),
  );
}

/**
 * The checkpoint that a name means. Full names come before bare ones, which two folders may share; a hash
 * in brackets must not be another one than the server's, as far as it has looked at the file.
 */
export function findCheckpoint(asked: string, checkpoints: readonly Checkpoint[]): Checkpoint | undefined {
  const wanted = /\[([0-9a-f]{10,64})\]$/i.exec(asked)?.[1]?.toLowerCase();
  const known = checkpoints.filter(({ hash, sha256 }) => {
    const has = sha256 ?? hash;
    return !wanted || !has || has.startsWith(wanted) || wanted.startsWith(has);
  });
  return (
    known.find(({ title, model_name, hash, sha256, filename }) =>
      [title, model_name, hash, sha256, filename].includes(asked),
    ) ??
    known.find(({ title }) => title !== undefined && path(title) === path(asked)) ??
    known.find(({ filename }) => filename !== undefined && stem(filename) === stem(asked))
  );
}

/** Without the hash, which a server knows only of files that it has loaded before. */
function path(name: string): string {
  return name
    .replace(/\[[0-9a-f]+\]$/i, '')
    .trimEnd()
    .replaceAll('\\', '/');
}

function vaeAsked(settings: { [key: string]: Json }): string | undefined {
  const vae = settings['sd_vae'];
  return typeof vae === 'string' && !/^(automatic|none)$/i.test(vae) ? vae : undefined;
}

/** Undefined where the size of the picture is not simply the one asked for. */
function expectedSize(body: Body): string | undefined {
  const { width, height, hr_scale: scale = 1, script_name: script } = body;
  if (typeof width !== 'number' || typeof height !== 'number' || typeof scale !== 'number') return undefined;
  if (body['mask'] !== undefined || body['hr_resize_x'] !== undefined || body['hr_resize_y'] !== undefined) {
    return undefined;
  }
  if (typeof script === 'string' && script !== '') return undefined; // an upscaler, a grid of several images
  // The hires pass works in whole latent cells of 8 pixels.
  const side = (length: number) =>
    body['enable_hr'] === true ? Math.floor((length * scale) / 8) * 8 : length;
  return `${side(width)}x${side(height)}`;
}

function asObject(value: Json | undefined): { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}
