import { backoffMs } from '../backends/index.js';
import { systemCode, type StorageError } from '../errors.js';
import type { AttemptKey, Ledger } from '../ledger/index.js';
import type { Pictures } from '../images/index.js';
import { reachesAll, shareBudget } from '../loop/index.js';
import type { AdvanceDependencies } from '../../workers/classify.js';
import type { GenerateDependencies } from '../../workers/generate.js';
import type { OpenRun } from './open-run.js';
import type { State } from './state.js';
import { jobOf } from './window.js';

type Failed = (key: Pick<AttemptKey, 'run' | 'shot'>, reason: string) => void;

const onFailed =
  ({ events }: Pick<State, 'events'>): Failed =>
  ({ run, shot }, reason) =>
    events.emit({ type: 'shot-ended', run, shot, outcome: 'failed', reason });

/** Told once for each reason: a drive that hangs keeps many images back. */
const onUnreadable =
  ({ events }: Pick<State, 'events'>, { id, unreadable }: OpenRun) =>
  (_key: AttemptKey, { message, cause }: StorageError): void => {
    const reason = systemCode(cause) ?? message;
    if (unreadable.has(reason)) return;
    unreadable.add(reason);
    const told = `${message} Images that cannot be read are waited for; nothing is lost.`;
    events.emit({ type: 'warning', run: id, code: 'image-unreadable', message: told });
  };

/** What the generate worker needs for one run's attempts. */
export function generateDependencies(
  state: Pick<State, 'events' | 'candidates' | 'queues' | 'ledger' | 'store' | 'isShared'>,
  open: OpenRun,
  { classifyQueue, pictures }: { classifyQueue: string; pictures: Pictures },
): GenerateDependencies {
  const { emit } = state.events;
  return {
    ledger: state.ledger,
    candidates: state.candidates,
    ...(state.isShared && { store: state.store }),
    pictures,
    environment: open.pipeline.environment,
    isTaking: () => open.isTaking,
    addClassify: (key) => state.queues.add(classifyQueue, [jobOf(key, 0)]),
    backoffMs,
    backendsFor(attempt, first) {
      const others = open.serversFor(attempt).filter((member) => member !== first);
      const here = others.filter(({ agent }) => agent.lease !== undefined);
      return {
        here: [first, ...here.sort((a, b) => Number(b.well) - Number(a.well))],
        elsewhere: here.length < others.length,
      };
    },
    onEvent: {
      generating: (key, backend, prompt) => emit({ type: 'generating', key, backend, prompt }),
      progress: (key, backend, share) => emit({ type: 'progress', key, backend, share }),
      generated: (key, backend, seconds) => emit({ type: 'generated', key, backend, seconds }),
      serverError: (key, backend, message) => emit({ type: 'server-error', key, backend, message }),
      refused: (key, backend, message) => emit({ type: 'refused', key, backend, message }),
      repairDropped({ run, shot, number }, reason) {
        const message = `${shot}.${number} is made anew instead of repaired: ${reason}`;
        emit({ type: 'warning', run, code: 'repair-dropped', message });
      },
      unreadable: onUnreadable(state, open),
      due: (key) => emit({ type: 'due', key }),
      failed: onFailed(state),
    },
  };
}

/** What it takes to advance one run's shots, with the run's rules in it. */
export function advanceDependencies(
  state: Pick<State, 'events' | 'candidates' | 'store'>,
  open: OpenRun,
  ledger: Ledger,
): AdvanceDependencies {
  const { emit } = state.events;
  const { run, pipeline, output } = open;
  const { retry, gate } = pipeline;
  return {
    ledger,
    candidates: state.candidates,
    isElsewhere: ({ store = run.store }) => store !== state.store,
    gate: gate.rules,
    retry,
    runSeed: run.seed,
    output,
    async budget(shot, number) {
      const { run_attempts: runAttempts } = retry;
      if (runAttempts === undefined || reachesAll(number, run.shots, runAttempts)) return 'grant';
      const standings = await ledger.budgetCounts(run.id, shot);
      return shareBudget(number, retry.attempts, runAttempts, standings);
    },
    onEvent: {
      judged: (key, verdict) => emit({ type: 'judged', key, verdict }),
      due: (key, place) => emit({ type: 'due', key, ...(place && { place }) }),
      ended: (shot, step, published) =>
        emit({
          type: 'shot-ended',
          run: shot.run,
          shot: shot.index,
          outcome: step.outcome,
          ...(published !== undefined && { published }),
        }),
      failed: onFailed(state),
      unreadable: onUnreadable(state, open),
    },
  };
}
