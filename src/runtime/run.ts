import { toError } from '../errors.js';
import type { AttemptKey, Run } from '../ledger/index.js';
import type { Pipeline } from '../pipeline/index.js';
import { RetryLater } from '../queue/index.js';
import { classify, reconsider, type ClassifyDesk } from '../../workers/classify.js';
import { generate } from '../../workers/generate.js';
import { makeClassifyDesk, makeGenerateDesk } from './desks.js';
import { finishRun, type RunSummary } from './finish.js';
import { openGate } from './gate.js';
import type { House } from './house.js';
import { jobOf, Lanes } from './lanes.js';
import { openPool, type Pool } from './pool.js';
import { opening } from './releasers.js';

export interface RunSignals {
  /** Take no more work; finish what the servers hold. */
  drain: AbortSignal;
  /** Stop now. */
  force: AbortSignal;
}

/** A run that this process works on: what `pause` and `cancel` reach. */
export interface ActiveRun {
  id: string;
  setPaused(paused: boolean): Promise<void>;
  cancel(): Promise<void>;
}

/** How often the queues are compared with the ledger: a job that got lost (a flushed Redis) comes back. */
const reconcileMs = 5_000;
const totalsMs = 1_000;
const classifyWindow = 400;
/** One image is scored while the next is decoded. */
const classifyConcurrency = 2;

/**
 * Works a run off until every shot has ended, the run is cancelled, or a signal says to leave.
 * `onActive` gets the handle that pauses and cancels it.
 */
export function executeRun(
  house: House,
  run: Run,
  pipeline: Pipeline,
  env: NodeJS.ProcessEnv,
  signals: RunSignals,
  onActive: (active: ActiveRun) => void,
): Promise<RunSummary> {
  return opening(async (releasers) => {
    const startedAt = performance.now();
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, signals.force]);
    releasers.add(() => stop.abort());

    const classifier = await openGate(pipeline, env);
    releasers.add(() => classifier.close());
    signal.throwIfAborted();
    // Filled below: the pool tells of changes before the lanes exist.
    const room: { lanes?: Lanes } = {};
    const pool = await openPool(pipeline.backends, {
      signal,
      onChange(backend, state, reason) {
        house.events.emit({ type: 'backend', backend, state, ...(reason !== undefined && { reason }) });
        void room.lanes?.onHealth().catch(fail);
      },
    });
    releasers.add(() => pool.close());

    let settle: (how: 'ended' | 'left') => void = () => undefined;
    let fail: (error: unknown) => void = () => undefined;
    const over = new Promise<'ended' | 'left'>((resolve, reject) => {
      settle = resolve;
      fail = reject;
    });
    // Awaited at the end of the run: until then a failure must not count as unhandled.
    over.catch(() => undefined);

    const classifyQueue = `classify-${run.id}`;
    const addClassify = (key: AttemptKey) => house.queues.add(classifyQueue, [jobOf(key, 0)]);
    const generateDesk = makeGenerateDesk(house, pool, addClassify, () => void checkEnd().catch(fail));
    const lanes = new Lanes({
      house,
      run: run.id,
      members: pool.members,
      signal,
      handle: async (key, member, jobSignal) => {
        try {
          await generate(generateDesk, key, member, AbortSignal.any([signal, jobSignal]));
        } catch (error) {
          if (signal.aborted || jobSignal.aborted) throw new RetryLater(0);
          throw error;
        }
      },
      onBug: (error) => fail(error),
      onFailed: (shot, reason) => {
        house.events.emit({ type: 'shot-ended', run: run.id, shot, outcome: 'failed', reason });
        void checkEnd().catch(fail);
      },
    });
    room.lanes = lanes;
    const desk = makeClassifyDesk(house, run, pipeline, classifier, lanes, () => void checkEnd().catch(fail));

    async function checkEnd(): Promise<void> {
      if ((await house.ledger.openShots(run.id)) === 0) settle('ended');
    }

    async function reconcile(): Promise<void> {
      await lanes.refresh();
      const generated = await house.ledger.dueAttempts(run.id, 'generated', classifyWindow);
      await house.queues.add(
        classifyQueue,
        generated.map((attempt) => jobOf(attempt, attempt.priority)),
      );
      await reconsiderAll(house, run.id, pipeline, desk);
      await checkEnd();
    }

    // The queues of a run belong to this process alone: what a dead one left there is rebuilt from the ledger.
    await Promise.all(
      [...new Set((await house.ledger.dueLanes(run.id)).map(({ lane }) => lanes.queueOf(lane)))]
        .concat(classifyQueue)
        .map((queue) => house.queues.clear(queue)),
    );
    const classifyWorker = house.queues.work(classifyQueue, {
      concurrency: classifyConcurrency,
      handler: async ({ data }, jobSignal) => {
        await classify(desk, { run: run.id, ...data }, AbortSignal.any([signal, jobSignal]));
        if (pipeline.retry.run_attempts !== undefined) await reconsiderAll(house, run.id, pipeline, desk);
      },
      onError: (error) => fail(error),
      onDrained: () => void reconcile().catch(fail),
    });

    const timers = [
      setInterval(() => void reconcile().catch(fail), reconcileMs),
      setInterval(() => void emitTotals(house, run.id).catch(fail), totalsMs),
    ];
    releasers.add(() => timers.forEach((timer) => clearInterval(timer)));
    const leave = () => settle('left');
    signals.drain.addEventListener('abort', leave, { once: true });
    signals.force.addEventListener('abort', leave, { once: true });
    releasers.add(() => {
      signals.drain.removeEventListener('abort', leave);
      signals.force.removeEventListener('abort', leave);
    });

    onActive({
      id: run.id,
      async setPaused(paused) {
        await house.ledger.moveRun(run.id, paused ? 'paused' : 'running');
        await lanes.setPaused(paused);
        house.events.emit({ type: 'run', run: run.id, state: paused ? 'paused' : 'running' });
      },
      async cancel() {
        const sent = await house.ledger.cancelRun(run.id);
        await cancelOnServers(pool, sent);
        stop.abort();
        settle('ended');
      },
    });

    await house.ledger.moveRun(run.id, 'running');
    house.events.emit({ type: 'run', run: run.id, state: 'running' });
    try {
      await reconcile();
      if (signals.drain.aborted || signals.force.aborted) leave();
      await over;
    } finally {
      const force = signal.aborted;
      timers.forEach((timer) => clearInterval(timer));
      await lanes.close(force);
      await classifyWorker.close({ force });
    }
    await emitTotals(house, run.id);
    const summary = await finishRun(house, run.id, pipeline, (performance.now() - startedAt) / 1000);
    await releasers.close();
    return summary;
  });
}

/** Shots that wait for the run's budget, first the one whose attempt comes first. */
async function reconsiderAll(house: House, run: string, { retry }: Pipeline, desk: ClassifyDesk) {
  if (retry.run_attempts === undefined) return;
  for (const key of await house.ledger.waitingShots(run)) await reconsider(desk, key);
}

async function cancelOnServers(pool: Pool, sent: { backend: string; remoteId: string }[]): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  await Promise.all(
    sent.map(async ({ backend, remoteId }) => {
      const member = pool.members.find(({ name }) => name === backend);
      // A server that cannot be reached cannot be told; the run is cancelled all the same.
      await member?.backend.cancel(remoteId, signal).catch(toError);
    }),
  );
}

async function emitTotals(house: House, run: string): Promise<void> {
  house.events.emit({ type: 'totals', progress: await house.ledger.progress(run) });
}
