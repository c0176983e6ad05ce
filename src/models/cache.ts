import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { ConfigError, systemCode } from '../errors.js';
import { writeAtomically } from '../base/atomic.js';

export type Env = Readonly<Record<string, string | undefined>>;

/** A model on the Hub is named `owner/name`; a few old ones have no owner. */
const hubName = /^[A-Za-z0-9][\w.-]{0,95}(\/[A-Za-z0-9][\w.-]{0,95})?$/;

export function isHubName(name: string): boolean {
  return hubName.test(name) && !name.includes('..') && !name.includes('--');
}

/** Throws ConfigError for what cannot be the name of a model on the Hub: it would become a path. */
export function checkHubName(name: string): void {
  if (!isHubName(name)) throw new ConfigError(`"${name}" is no model's name on the Hub: write owner/name`);
}

export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

/** Where reroll keeps what can be made again: REROLL_CACHE, or reroll/ in the user's cache folder. */
export function rerollCache(env: Env): string {
  return env.REROLL_CACHE || join(userCache(env), 'reroll');
}

export function userCache(env: Env): string {
  return env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
}

/** The folder of a Hub model in reroll's cache: one folder for each revision, and refs/. */
export function modelHome(name: string, env: Env): string {
  checkHubName(name);
  return join(rerollCache(env), name.replace('/', '--'));
}

/** The folder of one revision of a Hub model in reroll's cache. `commit`: 40 hex digits. */
export function revisionFolder(name: string, commit: string, env: Env): string {
  return join(modelHome(name, env), commit);
}

/** The commit that a branch or tag stood for when it was pulled; undefined where it never was. */
export async function readRef(home: string, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  try {
    const commit = (await readFile(refFile(home, revision), 'utf8')).trim();
    return isCommit(commit) ? commit : undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export async function writeRef(home: string, revision: string, commit: string): Promise<void> {
  if (isCommit(revision)) return;
  await writeAtomically(refFile(home, revision), commit);
}

/** Python's cache writes refs/pr/1 as refs/refs/pr/1: a revision is a path there, but never one that leaves refs/. */
function refFile(home: string, revision: string): string {
  const parts = revision.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\\'))) {
    throw new ConfigError(`"${revision}" is no revision: write a branch, a tag or a commit`);
  }
  return join(home, 'refs', ...parts);
}
