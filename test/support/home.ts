import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { resolve } from 'node:path';
import { migrations } from '../../src/ledger/migrations.js';

/** Where the prepared state folder lies; another database version or other tables make another one. */
export function templateFolder(tables: unknown): string {
  const lock = readFileSync(resolve('node_modules/@electric-sql/pglite/package.json'), 'utf8');
  const key = createHash('sha256').update(lock).update(JSON.stringify(tables)).digest('hex').slice(0, 12);
  return resolve('.reroll-test', `home-${key}`);
}

/** A state folder with empty tables, ready to open. */
export async function freshHome(folder: string): Promise<string> {
  await cp(templateFolder(migrations), folder, { recursive: true });
  return folder;
}
