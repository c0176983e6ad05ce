import { setImmediate } from 'node:timers/promises';
import { openPGlitePool } from '../../src/ledger/pglite-pool.js';

/** Asks the embedded database in a folder again and again, and tells its parent what of that stays in memory. */
const pool = await openPGlitePool(process.argv[2]!);
const heapAfter = async (queries: number): Promise<number> => {
  for (let query = 0; query < queries; query++) await pool.query('SELECT n FROM generate_series(1, 20) n');
  // Garbage goes in two steps where finalizers are part of it.
  for (let round = 0; round < 3; round++) {
    await setImmediate();
    global.gc!();
  }
  return process.memoryUsage().heapUsed;
};
const before = await heapAfter(1000);
const after = await heapAfter(4000);
process.send!(after - before);
await pool.end();
process.disconnect();
