import { constants } from 'node:fs';
import { cp, mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';

/** Changes whenever PGlite's PostgreSQL does, so that no old template meets a new server. */
const TEMPLATE = 'pglite-0.5';

/**
 * Fills a data folder that is new or empty. Making one from nothing (initdb) takes seconds of CPU, so
 * it is done once per user and then copied. A folder appears whole or not at all: a process
 * that is killed meanwhile leaves no half of a database behind.
 */
export async function fillDataDir(dataDir: string): Promise<void> {
  if ((await filesIn(dataDir)).length > 0) return;
  const template = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'reroll', TEMPLATE);
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

/** Lets `fill` work beside the folder, and moves the result into place. If another process was faster, its result stays. */
async function appear(folder: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const draft = `${folder}.${process.pid}`;
  await mkdir(draft, { recursive: true });
  try {
    await fill(draft);
    await rmdir(folder).catch(() => undefined);
    await rename(draft, folder);
  } catch (error) {
    if ((await filesIn(folder)).length === 0) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

const filesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
