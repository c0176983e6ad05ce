import { ConfigError } from '../errors.js';
import type { Run } from '../ledger/index.js';
import type { Outcome } from '../loop/index.js';
import { changeRecorded, readLiterals } from '../pipeline/index.js';
import { RunFiles } from './run-files.js';
import type { RetryRequest } from './service.js';
import type { Task } from './start.js';
import type { State } from './state.js';
import type { RunEvent } from './events.js';
import { lostImages } from './lost.js';

const outcomesOf: { [Which in RetryRequest['which']]: Outcome[] } = {
  failed: ['failed'],
  exhausted: ['exhausted'],
  'failed or exhausted': ['failed', 'exhausted'],
  missing: ['accepted', 'exhausted', 'failed', 'cancelled'],
};

/**
 * What it takes to ask for shots of a run again. They are opened once models and servers are, as a run is recorded.
 * ConfigError where the run is not over, or has no such shots.
 */
export async function retryTask(
  state: State,
  run: Run,
  request: RetryRequest,
  { env, onOpened }: { env: NodeJS.ProcessEnv; onOpened: (event: RunEvent) => void },
): Promise<Task> {
  const { set, cwd, which } = request;
  if (run.state === 'running' || run.state === 'paused') {
    throw new ConfigError(
      `${run.id} is not over: its shots can be tried again when it is. \`reroll status ${run.id}\` says how it stands, \`reroll resume ${run.id}\` goes on with it if nobody does.`,
    );
  }
  const outcomes = outcomesOf[which];
  const asked = request.shots && indicesIn(request.shots, run);
  const isLost = which === 'missing';
  const shots = isLost ? await lostAmong(state, run, asked) : asked;
  if (!isLost) await refuseNothing(state, run, { which, outcomes, ...(shots && { shots }) });
  const file = run.pipelineFile;
  const variables = { ...(await readLiterals(file)), ...env };
  const pipeline = changeRecorded(run.pipeline, { set, cwd, file, env: variables });
  const files = new RunFiles(state, run.id);
  const { attempts = pipeline.retry.attempts } = request;
  return {
    pipeline,
    files,
    recorded: { ...run, set: [...run.set, ...pipeline.set] },
    async record() {
      const opened = await state.ledger.retryShots(run.id, {
        outcomes,
        attempts,
        isLost,
        ...(shots && { shots }),
        pipeline: pipeline.raw,
        set: pipeline.set,
        files: await files.added(pipeline),
      });
      if (opened === 0) throw new ConfigError(`another process is trying ${run.id} again already.`);
      onOpened({ type: 'retried', run: run.id, shots: opened, attempts, changed: set });
      return run;
    },
  };
}

async function lostAmong(state: State, run: Run, asked: number[] | undefined): Promise<number[]> {
  const wanted = asked && new Set(asked);
  const lost = [];
  for await (const { shot } of lostImages(state, run)) if (wanted?.has(shot) ?? true) lost.push(shot);
  if (lost.length > 0) return lost;
  const whose = asked ? `of these shots of ${run.id}` : `of ${run.id}`;
  throw new ConfigError(`every published image ${whose} is there: nothing to make again.`);
}

function indicesIn(ranges: [number, number][], { id, shots }: Run): number[] {
  const indices = new Set<number>();
  for (const [first, last] of ranges) {
    if (first < 1 || last > shots || first > last)
      throw new ConfigError(
        `${id} has no shot ${first === last ? first : `${first}-${last}`}: its shots are 1 to ${shots}.`,
      );
    for (let index = first; index <= last; index++) indices.add(index);
  }
  return [...indices].sort((a, b) => a - b);
}

async function refuseNothing(
  { ledger }: State,
  { id }: Run,
  { which, outcomes, shots }: { which: string; outcomes: Outcome[]; shots?: number[] },
): Promise<void> {
  const progress = await ledger.progress(id);
  if (outcomes.every((outcome) => progress[outcome] === 0))
    throw new ConfigError(`no shot of ${id} is ${which}: nothing to try again.`);
  if (!shots) return;
  for (const shot of shots) {
    const { outcome } = (await ledger.shot(id, shot)) ?? {};
    if (outcome && outcomes.includes(outcome)) return;
  }
  throw new ConfigError(
    `none of the shots ${shots.slice(0, 10).join(', ')}${shots.length > 10 ? ', ...' : ''} of ${id} is ${which}: nothing to try again.`,
  );
}
