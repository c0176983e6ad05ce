import { copyFile, link, mkdir, realpath, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { ModelError } from '../errors.js';
import { storageError } from '../base/storage.js';
import { checkHubName, type Env, isCommit, modelHome, readRef, revisionFolder, writeRef } from './cache.js';
import { convertModel, copyConfigs, describeVariant, type ModelFolder } from './convert.js';
import type { OnEvent } from './events.js';
import { fetchSnapshot, hubSettings, openRoute, type Patience, type Snapshot } from './hub/index.js';
import { type Manifest, readManifest, type VariantFile, writeManifest } from '../base/model-manifest.js';
import { dtypes, type Dtype, type Variant } from '../base/dtypes.js';
import { configFile, readLabels, readModelJson } from '../base/model-json.js';
import { findOnnx, onnxParts } from '../base/onnx-files.js';
import { architectureOf } from './vit-config.js';

export interface PullOptions {
  /** A branch, a tag or a commit. Default main. */
  revision?: string;
  /** Use what is in the caches and ask nobody. */
  offline?: boolean;
  /**
   * HF_TOKEN, HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE, REROLL_CACHE, XDG_CACHE_HOME, HOME, HTTPS_PROXY,
   * HTTP_PROXY, NO_PROXY.
   */
  env: Env;
  /** What a checkpoint is converted to. Default fp32 and q8. */
  variants?: Variant[];
  signal?: AbortSignal;
  onEvent?: OnEvent;
  patience?: Partial<Patience>;
}

/**
 * Makes a model of the Hugging Face Hub ready for use: fetched, checked, converted to ONNX unless the repository
 * has ONNX files, and kept in reroll's cache under its commit. What is there already is not done again.
 * Throws ModelError (the Hub or the model), StorageError (the disk), ConfigError (the name).
 */
export async function pullModel(name: string, options: PullOptions): Promise<ModelFolder> {
  checkHubName(name);
  const { env, revision = 'main', onEvent, signal } = options;
  const settings = hubSettings(env, options.patience);
  if (options.offline) settings.offline = true;

  const home = modelHome(name, env);
  if (settings.offline || isCommit(revision)) {
    const commit = await readRef(home, revision);
    const ready = commit === undefined ? undefined : await readyFolder(name, commit, options);
    if (ready) return ready;
  }
  const route = await openRoute(env);
  settings.fetch = route.fetch;
  const snapshot = await fetchSnapshot(name, revision, { settings, onEvent, signal }).finally(() =>
    route.close(),
  );
  const folder = revisionFolder(name, snapshot.commit, env);
  const ready =
    (await readyFolder(name, snapshot.commit, options)) ??
    (snapshot.weights === 'onnx'
      ? await adoptOnnx(name, snapshot, folder)
      : await convertModel(snapshot.folder, folder, {
          source: name,
          revision: snapshot.commit,
          ...(snapshot.license !== undefined && { license: snapshot.license }),
          ...(options.variants && { variants: options.variants }),
          ...(signal && { signal }),
          ...(onEvent && { onEvent }),
        }));
  await writeRef(home, revision, snapshot.commit);
  return ready;
}

/** A revision that is in reroll's cache already, with every variant that is asked for. */
async function readyFolder(
  name: string,
  commit: string,
  options: PullOptions,
): Promise<ModelFolder | undefined> {
  const path = revisionFolder(name, commit, options.env);
  const manifest = await readManifest(path);
  if (!manifest) return undefined;
  const lacks = options.variants?.some((variant) => !manifest.variants[variant]) ?? false;
  return lacks && manifest.made === 'converted' ? undefined : { path, manifest };
}

/** Takes the ONNX files of a repository as they are. They are linked, not copied, where the disk allows it. */
async function adoptOnnx(name: string, snapshot: Snapshot, folder: string): Promise<ModelFolder> {
  const config = await readModelJson(snapshot.folder, configFile);
  const { architecture } = architectureOf(config);
  // Some have a name behind it: ...WithTeacher, ...Learned.
  if (!architecture.includes('ForImageClassification')) {
    throw new ModelError(`${name} is a ${architecture}: a gate needs an image classifier`);
  }
  readLabels(config);
  await copyConfigs(snapshot.folder, folder);
  const variants: Record<string, VariantFile> = {};
  for (const dtype of Object.keys(dtypes) as Dtype[]) {
    const file = await findOnnx(snapshot.folder, dtype);
    if (file === undefined) continue;
    variants[dtype] = await describeVariant(snapshot.folder, file);
    for (const path of await onnxParts(snapshot.folder, file)) {
      await linkOrCopy(join(snapshot.folder, path), join(folder, path));
    }
  }
  const manifest: Manifest = {
    source: name,
    revision: snapshot.commit,
    ...(snapshot.license !== undefined && { license: snapshot.license }),
    made: 'published',
    variants,
  };
  await writeManifest(folder, manifest);
  return { path: folder, manifest };
}

/** Linked files take no room twice; caches on two disks, or a system without links, need copies. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await mkdir(dirname(to), { recursive: true });
    await rm(to, { force: true });
    const blob = await realpath(from);
    await link(blob, to).catch(() => copyFile(blob, to));
  } catch (error) {
    throw storageError('write', to, error);
  }
}
