import type { Pipeline } from '../pipeline/index.js';
import {
  executeRun,
  findUnfinished,
  homeOf,
  LocalControl,
  needHome,
  openGate,
  opening,
  openPool,
  recordRun,
  serveControl,
  type State,
  type Run,
  type RunSummary,
  withState,
} from '../runtime/index.js';
import { openDisplay } from './display.js';
import { listenForInterrupts } from './signals.js';

/** Works a new run of a pipeline off. */
export function workNew(pipeline: Pipeline): Promise<RunSummary> {
  return withState(homeOf(process.env, pipeline.file), (state) =>
    work(state, pipeline, () => recordRun(state, pipeline)),
  );
}

/** Goes on with an interrupted run, the newest if none is named. */
export async function workOn(id: string | undefined): Promise<RunSummary> {
  const home = homeOf(process.env);
  await needHome(home, process.env);
  return withState(home, async (state) => {
    const { run, pipeline } = await findUnfinished(state, id, process.env);
    return work(state, pipeline, async () => run);
  });
}

/**
 * Works a run off before the user's eyes, answering `status`, `pause` and `cancel` from outside meanwhile.
 * `getRun` is asked only once the model and the servers are there: a pipeline that cannot run leaves no run behind.
 */
function work(state: State, pipeline: Pipeline, getRun: () => Promise<Run>): Promise<RunSummary> {
  return opening(async (releasers) => {
    const { signals, release } = listenForInterrupts();
    releasers.add(release);
    const control = new LocalControl(state);
    releasers.add(await serveControl(state, control));

    process.stderr.write(
      `Opening the model ${pipeline.gate.models.join(', ')}, asking ${names(pipeline)} ...\n`,
    );
    const classifier = await openGate(pipeline, process.env);
    releasers.add(() => classifier.close());
    const pool = await openPool(pipeline, state.events.emit, signals.drain);
    releasers.add(() => pool.close());
    const run = await getRun();

    const display = openDisplay(
      run,
      pipeline.backends.map(({ name }) => name),
    );
    releasers.add(() => display.close());
    releasers.add(state.events.listen((event) => display.show(event)));
    signals.drain.addEventListener('abort', () =>
      display.note('finishing what the servers hold; Ctrl-C again to stop at once'),
    );
    const summary = await executeRun({ state, run, pipeline, classifier, pool }, signals, (active) =>
      control.attach(active),
    );
    await releasers.close();
    return summary;
  });
}

function names({ backends }: Pipeline): string {
  return backends.length > 3 ? `${backends.length} backends` : backends.map(({ name }) => name).join(', ');
}
