import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';

import { plural } from '../base/plural.js';
import { demoModel, packaged } from '../base/packaged.js';
import { ModelError } from '../errors.js';
import { type Env, isHubName, modelHome, readRef, revisionFolder } from './cache.js';
import { readManifest } from '../base/model-manifest.js';

export interface ResolveOptions {
  env: Env;
  /** A branch, a tag or a commit of a Hub model. Default main. */
  revision?: string;
  /** The variant that is wanted: one that failed its verification is refused. */
  dtype?: string;
}

/**
 * The folder of a model that is ready for use: a folder on disk as it is, a Hub model that was pulled, or the demo's.
 * Asks no server. Throws ModelError that says how to get the model.
 */
export async function resolveModel(nameOrFolder: string, options: ResolveOptions): Promise<string> {
  if (nameOrFolder === demoModel) return packaged('models/demo');
  const folder = (await isFolder(nameOrFolder))
    ? resolve(nameOrFolder)
    : await pulledFolder(nameOrFolder, options);
  if (options.dtype !== undefined) await refuseDisagreeing(folder, options.dtype);
  return folder;
}

async function pulledFolder(name: string, { env, revision = 'main' }: ResolveOptions): Promise<string> {
  if (!isHubName(name)) {
    throw new ModelError(
      `${name} is neither a folder on this machine nor a model's name on the Hub (owner/name)`,
    );
  }
  const commit = await readRef(modelHome(name, env), revision);
  const folder = commit === undefined ? undefined : revisionFolder(name, commit, env);
  if (folder !== undefined && (await readManifest(folder))) return folder;
  if (!name.includes('/')) {
    throw new ModelError(
      `There is no model ${name} here. A folder is written as ./${name}, a Hub model as owner/name`,
    );
  }
  const which = revision === 'main' ? name : `${name} --revision ${revision}`;
  throw new ModelError(`The model ${name} is not here yet. Fetch it with: reroll model pull ${which}`);
}

/** Throws ModelError where verification found that this variant decides too differently from its reference. */
export async function refuseDisagreeing(folder: string, dtype: string): Promise<void> {
  const verified = (await readManifest(folder))?.variants[dtype]?.verified;
  if (!verified || verified.passed) return;
  throw new ModelError(
    `The ${dtype} variant of ${folder} disagrees with ${verified.reference}: the same label on ` +
      `${(verified.agreement * 100).toFixed(1)} % of ${plural(verified.images, 'image')}, probabilities up to ` +
      `${verified.largestDifference.toFixed(3)} apart. Use ${verified.reference}, or verify it again on your own images`,
  );
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
