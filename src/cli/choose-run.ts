import { plural } from '../base/plural.js';
import type { Service } from '../runtime/index.js';
import { ask, canAsk } from './ask.js';
import { warn } from './print.js';

/**
 * Beside an interrupted run of the same file, whoever says `run` may mean that one: a terminal is asked, elsewhere it is
 * said. Answers the run to go on with; undefined: a new one.
 */
export async function chooseRun(
  service: Pick<Service, 'runs'>,
  file: string,
  { isAsking, signal }: { isAsking: boolean; signal: AbortSignal },
): Promise<string | undefined> {
  const left = (await service.runs()).find((run) => run.file === file && run.state === 'interrupted');
  if (!left) return undefined;
  const { run, shots } = left;
  const open = shots - left.accepted - left.exhausted - left.failed - left.cancelled;
  const words = `${run} of this file is interrupted, with ${open} of ${plural(shots, 'shot')} open.`;
  if (!isAsking || !canAsk()) {
    warn(`${words} \`reroll resume ${run}\` goes on with it; this is a new run.`);
    return undefined;
  }
  const answer = await ask(`${words} Go on with it? (yes; no: a new run) `, signal);
  return /^(y(es)?)?$/i.test(answer) ? run : undefined;
}
