import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { storing } from '../base/storage.js';
import { systemCode } from '../errors.js';
import type { Run } from '../ledger/index.js';
import { isOver } from '../loop/index.js';
import { QueueNames } from './queue-names.js';
import { isAlone, type State } from './state.js';

/** What `clean` frees, or would. */
export interface Cleaned {
  /** Runs whose records go. */
  runs: string[];
  /** Files in the state folder: candidates of runs that are over, blobs that no run names. */
  candidates: Files;
  blobs: Files;
  /** Jobs of runs that are over. */
  jobs: number;
  /** Rows of each of the ledger's tables. */
  rows: { [table: string]: number };
  /** What the state folder takes, in bytes. */
  before: number;
  after: number;
}

export interface Files {
  files: number;
  bytes: number;
}

/** A younger blob may be of a run that another process is just recording. */
const youngMs = 3_600_000;

/**
 * Frees what no command needs any more; with `before` also the records of runs that were over by then. Runs that are not
 * over, published images and manifests are never touched. With `isDry` nothing is.
 */
export async function clean(
  state: State,
  { isDry, before }: { isDry: boolean; before?: Date },
): Promise<Cleaned> {
  const { ledger, queues, home, store, isShared } = state;
  const all = await ledger.runs();
  const known = new Set(all.map(({ id }) => id));
  const old = all.filter((run) => before && run.finishedAt && isOver(run.state) && run.finishedAt < before);
  const kept = all.filter((run) => !old.includes(run));
  const over = new Set(all.filter(({ state }) => isOver(state)).map(({ id }) => id));
  const size = await sizeOf(home);
  const candidates = await remove(
    (await filesIn(join(home, 'candidates'))).filter(({ parts: [run = ''] }) => over.has(run)),
    isDry,
  );
  const blobs = await remove((await isAlone(state)) ? await unnamedBlobs(state, kept) : [], isDry);
  const { place } = new QueueNames(ledger.id, store);
  const jobs = await queues.sweep(`-${place}-`, ({ run }) => !known.has(run) || over.has(run), isDry);
  const runs = old.map(({ id }) => id);
  const rows = await ledger.sweep({ runs, isDry });
  // A server's database compacts itself.
  if (!isDry && !isShared) await ledger.compact();
  return { runs, candidates, blobs, jobs, rows, before: size, after: await sizeOf(home) };
}

async function unnamedBlobs({ ledger, home }: State, kept: Run[]): Promise<FoundFile[]> {
  const named = new Set<string>();
  for (const { id } of kept) for await (const { sha256 } of ledger.files(id)) named.add(sha256);
  const youngest = Date.now() - youngMs;
  const blobs = await filesIn(join(home, 'blobs'));
  return blobs.filter(({ parts, modifiedMs }) => !named.has(parts.join('')) && modifiedMs < youngest);
}

interface FoundFile {
  path: string;
  /** Its names from the folder on. */
  parts: string[];
  bytes: number;
  modifiedMs: number;
}

/** The files below a folder; none where there is no such. */
async function filesIn(folder: string, parts: string[] = []): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name);
    const below = [...parts, entry.name];
    if (entry.isDirectory()) for (const file of await filesIn(path, below)) found.push(file);
    else {
      const about = await unlessGone(stat(path));
      if (about) found.push({ path, parts: below, bytes: about.size, modifiedMs: about.mtimeMs });
    }
  }
  return found;
}

const entriesOf = async (folder: string) =>
  (await storing('read', folder, () => unlessGone(readdir(folder, { withFileTypes: true })))) ?? [];

/** undefined where it went meanwhile: others may be at work. */
async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function remove(files: FoundFile[], isDry: boolean): Promise<Files> {
  if (!isDry) for (const { path } of files) await storing('remove', path, () => rm(path, { force: true }));
  return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) };
}

const sizeOf = async (folder: string): Promise<number> =>
  (await filesIn(folder)).reduce((sum, { bytes }) => sum + bytes, 0);
