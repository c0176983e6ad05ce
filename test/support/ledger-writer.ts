/**
 * A process to be killed: records shot after shot as accepted in the state folder given, and sends the
 * key of each only once the ledger has acknowledged it.
 */
import { openLedger } from '../../src/ledger/index.js';
import { aCandidate, aModel, aRun, aVerdict, someShots } from './ledger.js';

const [home = '', databaseUrl = ''] = process.argv.slice(2);
const { ledger } = await openLedger({ home, ...(databaseUrl !== '' && { databaseUrl }) });
const { id } = await ledger.createRun(aRun('killed'), someShots(1000), () => Promise.resolve(false));
for (let shot = 1; shot <= 1000; shot++) {
  const key = { run: id, shot, number: 1 };
  await ledger.recordSending(key, 'gpu', 'id');
  await ledger.recordCandidate(key, aCandidate);
  const end = { kind: 'end', outcome: 'accepted', keep: 1 } as const;
  await ledger.recordVerdict(key, aVerdict('accept'), aModel, end, 'a.png');
  process.send?.(key);
}
