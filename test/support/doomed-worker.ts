/**
 * A process to be killed: adds the job `doomed-1` to the queue `doomed`, starts to work on it, says
 * so, and never ends. Its argument is where the queue lives: a URL, or the folder of a database.
 */
import { Trouble } from '../../src/base/trouble.js';
import { openPGlitePool } from '../../src/ledger/pglite-pool.js';
import { openQueues } from '../../src/queue/index.js';

const [place = ''] = process.argv.slice(2);
const queues = await openQueues(
  place.startsWith('redis:')
    ? { redisUrl: place }
    : place.startsWith('postgres:')
      ? { databaseUrl: place, trouble: new Trouble('PostgreSQL', console.error) }
      : { pool: await openPGlitePool(place) },
  console.error,
);
await queues.add('doomed', [{ id: 'doomed-1', data: { run: 'r', shot: 1, number: 1 } }]);
queues.work('doomed', {
  concurrency: 1,
  handler: () =>
    new Promise(() => {
      console.log('at work');
    }),
  onError: console.error,
});
