import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { openLedger } from '../../src/ledger/index.js';
import { migrations } from '../../src/ledger/migrations.js';
import { templateFolder } from './home.js';

/** Makes one state folder for all tests to start from: to set an embedded database up takes seconds, to copy it none. */
export async function setup(): Promise<void> {
  const folder = templateFolder(migrations);
  if (await stat(folder).catch(() => undefined)) return;
  const building = `${folder}.${process.pid}`;
  await mkdir(building, { recursive: true });
  const { close } = await openLedger({ home: building });
  await close();
  await rm(`${building}/lock`, { force: true });
  // Two test runs at a time: the first one's folder stays.
  await rename(building, folder).catch(() => rm(building, { recursive: true, force: true }));
}
