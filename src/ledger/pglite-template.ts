import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { cp, mkdir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { closeToOthers, syncEntry, syncTree } from './folders.js';

/** Changes whenever PGlite's PostgreSQL does, so that no old template meets a new server. */
const templateName = 'pglite-0.5';
/** A draft of the template, which others may be making too, that nobody has touched for so long has nobody any more. */
const draftMs = 600_000;

/**
 * Fills a data folder that is new or empty. Making one from nothing (initdb) takes seconds of CPU, so
 * it is done once per user and then copied. A folder appears whole or not at all: a process
 * that is killed meanwhile leaves no half of a database behind.
 */
export async function fillDataDir(dataDir: string): Promise<void> {
  const template = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'reroll', templateName);
  // The state folder is this process's alone.
  await Promise.all([sweepDrafts(dataDir, 0), sweepDrafts(template, draftMs)]);
  if ((await filesIn(dataDir)).length > 0) return;
  if ((await filesIn(template)).length === 0) {
    try {
      await appear(template, makeDatabase);
    } catch {
      // The cache cannot be written, or is full: do without.
      return appear(dataDir, makeDatabase);
    }
  }
  await appear(dataDir, (folder) =>
    cp(template, folder, { recursive: true, mode: constants.COPYFILE_FICLONE }),
  );
}

async function makeDatabase(folder: string): Promise<void> {
  const db = await PGlite.create({ dataDir: folder });
  await db.close();
}

/**
 * Lets `fill` work beside the folder, and moves the result into place, on the disk and for its owner alone. If another
 * process was faster, its result stays.
 */
async function appear(folder: string, fill: (folder: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  const draft = `${folder}.${randomUUID()}.new`;
  await mkdir(draft, { mode: 0o700 });
  try {
    await fill(draft);
    await closeToOthers(draft);
    await syncTree(draft);
    await rmdir(folder).catch(() => undefined);
    await rename(draft, folder);
    await syncEntry(dirname(folder));
  } catch (error) {
    if ((await filesIn(folder)).length === 0) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Of processes that were killed at it: one that is at it now needs seconds. */
async function sweepDrafts(folder: string, untouchedMs: number): Promise<void> {
  const parent = dirname(folder);
  for (const name of await filesIn(parent)) {
    // Before this version a draft was named by its process.
    if (!name.startsWith(`${basename(folder)}.`) || !/\.(\d+|[-0-9a-f]{36}\.new)$/.test(name)) continue;
    const draft = join(parent, name);
    const age = Date.now() - ((await stat(draft).catch(() => undefined))?.mtimeMs ?? Date.now());
    if (age >= untouchedMs) await rm(draft, { recursive: true, force: true });
  }
}

const filesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
