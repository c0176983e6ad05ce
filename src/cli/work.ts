import type { Pipeline } from '../pipeline/index.js';
import {
  executeRun,
  LocalControl,
  openGate,
  opening,
  openPool,
  serveControl,
  socketPath,
  type House,
  type Run,
  type RunSummary,
} from '../runtime/index.js';
import { openDisplay } from './display.js';
import { listenForInterrupts } from './signals.js';

/**
 * Works a run off before the user's eyes, answering `status`, `pause` and `cancel` from outside meanwhile.
 * `getRun` is asked only once the model and the servers are there: a pipeline that cannot run leaves no run behind.
 */
export function work(house: House, pipeline: Pipeline, getRun: () => Promise<Run>): Promise<RunSummary> {
  return opening(async (releasers) => {
    const interrupts = listenForInterrupts();
    releasers.add(interrupts.release);
    const classifier = await openGate(pipeline, process.env);
    releasers.add(() => classifier.close());
    const pool = await openPool(pipeline.backends, house.events.emit, interrupts.signals.drain);
    releasers.add(() => pool.close());
    const run = await getRun();

    const names = pipeline.backends.map(({ name }) => name);
    const display = openDisplay(run.id, run.shots, names);
    releasers.add(() => display.close());
    releasers.add(house.events.listen((event) => display.show(event)));
    interrupts.signals.drain.addEventListener('abort', () =>
      display.note('finishing what the servers hold; Ctrl-C again to stop at once'),
    );
    const control = new LocalControl(house);
    releasers.add(await serveControl(socketPath(house.home), control));
    const summary = await executeRun(
      { house, run, pipeline, classifier, pool },
      interrupts.signals,
      (active) => control.attach(active),
    );
    await releasers.close();
    return summary;
  });
}
