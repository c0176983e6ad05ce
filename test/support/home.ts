import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { migrations } from '../../src/ledger/migrations.js';

/** Where the prepared state folder lies; another database version or other tables make another one. */
export function templateFolder(tables: unknown): string {
  const lock = readFileSync(resolve('node_modules/@electric-sql/pglite/package.json'), 'utf8');
  const key = createHash('sha256').update(lock).update(JSON.stringify(tables)).digest('hex').slice(0, 12);
  return resolve('.reroll-test', `home-${key}`);
}

/** A state folder with empty tables, ready to open. */
export async function freshHome(folder: string): Promise<string> {
  await copyFolder(templateFolder(migrations), folder);
  return folder;
}

/** `to` must not be there yet. Node's own copying takes twice the CPU for the thousand files of a database. */
export async function copyFolder(from: string, to: string): Promise<void> {
  await promisify(execFile)('cp', ['-Rp', from, to]);
}
