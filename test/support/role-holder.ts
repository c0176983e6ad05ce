/**
 * A process that holds some roles of the runs in a database. With a pipeline it records a run, sends its summary when it
 * has ended, and leaves; without one it works for others until it is told to leave. It sends every event.
 */
import { loadPipeline } from '../../src/pipeline/index.js';
import { openState, newRun, RunHere, type Role } from '../../src/runtime/index.js';

const [home = '', roles = '', file] = process.argv.slice(2);
const state = await openState(home, process.env);
state.events.listen((event) => process.send?.({ event }));
const here = new RunHere(state, { roles: roles.split(',') as Role[] });
const leave = async () => {
  await here.stop({ force: false });
  await state.close();
  process.disconnect();
};
process.on('message', () => void leave());
if (file !== undefined) {
  const pipeline = await loadPipeline(file, { env: process.env });
  const { signal } = new AbortController();
  const { id } = await here.take(newRun(state, pipeline), { env: process.env, signal });
  process.send?.({ summary: await here.ended(id) });
  await leave();
}
