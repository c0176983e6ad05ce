/**
 * A process to be stopped or killed: holds a lease in the database given, says its number, and then, each time it is
 * told to, moves an attempt under it and says whether that counted.
 */
import { openLedger } from '../../src/ledger/index.js';

const [home = '', databaseUrl = '', leaseMs = '', name = '', run = ''] = process.argv.slice(2);
const { ledger } = await openLedger({ home, databaseUrl, leaseMs: Number(leaseMs) });
const lease = await ledger.takeLease(name);
if (!lease) throw new Error('somebody holds it');
const mine = ledger.under(lease);
process.send?.(lease.number);
process.on('message', () => {
  void mine
    .recordSending({ run, shot: 1, number: 1 }, 'gpu', 'late')
    .then((counted) => process.send?.(counted));
});
