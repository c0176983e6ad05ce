import {
  executeRun,
  LocalControl,
  opening,
  serveControl,
  socketPath,
  type House,
  type Run,
  type RunSummary,
} from '../runtime/index.js';
import type { Pipeline } from '../pipeline/index.js';
import { openDisplay } from './display.js';
import { listenForInterrupts } from './signals.js';

/** Works a recorded run off before the user's eyes, answering `status`, `pause` and `cancel` from outside meanwhile. */
export function work(
  house: House,
  run: Run,
  pipeline: Pipeline,
  options: { env: NodeJS.ProcessEnv; quiet: boolean },
): Promise<RunSummary> {
  return opening(async (releasers) => {
    const names = pipeline.backends.map(({ name }) => name);
    const display = openDisplay(run.id, run.shots, names, options.quiet);
    releasers.add(() => display.close());
    releasers.add(house.events.listen((event) => display.show(event)));
    const { signals, release } = listenForInterrupts(() =>
      display.note('finishing what the servers hold; Ctrl-C again to stop at once'),
    );
    releasers.add(release);
    const control = new LocalControl(house);
    releasers.add(await serveControl(socketPath(house.home), control));
    const summary = await executeRun(house, run, pipeline, options.env, signals, (active) =>
      control.attach(active),
    );
    await releasers.close();
    return summary;
  });
}
