import { backoffMs } from '../backends/index.js';
import type { AttemptKey } from '../ledger/index.js';
import { laneOf, reachesAll, shareBudget } from '../loop/index.js';
import { Pictures } from '../images/index.js';
import type { ClassifyDependencies } from '../../workers/classify.js';
import type { GenerateDependencies } from '../../workers/generate.js';
import type { Lanes } from './lanes.js';
import { Output } from './output.js';
import type { Work } from './run.js';

type Failed = (key: Pick<AttemptKey, 'shot'>, reason: string) => void;

/** What the generate worker needs, with the run's backends in it. */
export function makeGenerateDependencies(
  { state, pool, pipeline }: Pick<Work, 'state' | 'pool' | 'pipeline'>,
  lanes: Lanes,
  addClassify: (key: AttemptKey) => Promise<void>,
  onFailed: Failed,
): GenerateDependencies {
  const { emit } = state.events;
  return {
    ledger: state.ledger,
    candidates: state.candidates,
    pictures: new Pictures(),
    environment: pipeline.environment,
    isTaking: () => lanes.isTaking,
    addClassify,
    backoffMs,
    backendsFor(attempt, first) {
      const others = pool.members.filter((member) => member !== first && member.serves(attempt));
      return [first, ...others.sort((a, b) => Number(b.well) - Number(a.well))];
    },
    onEvent: {
      generating: (key, backend, prompt) => emit({ type: 'generating', key, backend, prompt }),
      progress: (key, backend, share) => emit({ type: 'progress', key, backend, share }),
      generated: (key, backend, seconds) => emit({ type: 'generated', key, backend, seconds }),
      serverError: (key, backend, message) => emit({ type: 'server-error', key, backend, message }),
      unrepaired({ shot, number }, reason) {
        const message = `${shot}.${number} is made anew instead of repaired: ${reason}`;
        emit({ type: 'warning', message });
      },
      failed: onFailed,
    },
  };
}

/** What the classify worker needs, with the run's rules in it. */
export function makeClassifyDependencies(
  { state, run, pipeline, classifier }: Work,
  lanes: Lanes,
  onFailed: Failed,
  onShotEnded: () => void,
): ClassifyDependencies {
  const { emit } = state.events;
  const { retry, gate } = pipeline;
  return {
    ledger: state.ledger,
    candidates: state.candidates,
    classifier,
    gate: gate.rules,
    retry,
    runSeed: run.seed,
    output: new Output(run, pipeline, state.ledger),
    async budget(shot, number) {
      const { run_attempts: runAttempts } = retry;
      if (runAttempts === undefined || reachesAll(number, run.shots, runAttempts)) return 'grant';
      const standings = await state.ledger.budgetCounts(run.id, shot);
      return shareBudget(number, retry.attempts, runAttempts, standings);
    },
    addGenerate: (key, { request, tags, repair, priority }) =>
      lanes.add(key, laneOf(request, tags, repair), priority),
    onEvent: {
      judged: (key, verdict) => emit({ type: 'judged', key, verdict }),
      ended: (shot, step, published) => {
        emit({
          type: 'shot-ended',
          run: shot.run,
          shot: shot.index,
          outcome: step.outcome,
          ...(published !== undefined && { published }),
        });
        onShotEnded();
      },
      failed: onFailed,
    },
  };
}
