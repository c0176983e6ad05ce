import { setTimeout as sleep } from 'node:timers/promises';
import { LockedError } from '../errors.js';
import {
  holderOf,
  HolderGoneError,
  LocalService,
  opening,
  openState,
  runOf,
  RunHere,
  serveControl,
  type Run,
  type RunSummary,
  type Service,
  type Taken,
} from '../runtime/index.js';
import { isOver } from '../loop/index.js';
import { openDisplay, type Display } from './display.js';
import { warn } from './print.js';
import { listenForInterrupts, type Interrupts } from './signals.js';

/** How long a folder may be held by a process that does not say where it answers. */
const patienceMs = 30_000;
const pauseMs = 200;

/** How a run begins: by a submission, or by resuming. */
export interface Begin {
  /** What is opened first, in words. */
  about: string;
  start(service: Service, signal: AbortSignal): Promise<Taken>;
  /** The same when the process that carried it is gone: by now there is something to resume. */
  again(run: string): Begin;
}

/**
 * Works a run off before the user's eyes: here, where the state folder is free; else the process that holds it takes
 * the run on, and this one watches. When that process ends first, this one goes on with the run itself.
 */
export async function work(home: string, begin: Begin, done: (summary: RunSummary) => void): Promise<void> {
  const { signals, release } = listenForInterrupts();
  let waitingSince = Date.now();
  try {
    for (let next = begin; ;) {
      try {
        const holder = await holderOf(home);
        if (!holder) {
          await workHere(home, next, signals, done);
          return;
        }
        const left = await watch(holder, next, signals.drain, done);
        if (left === undefined) return;
        next = next.again(left);
        // It may have been watched for hours.
        waitingSince = Date.now();
      } catch (error) {
        const isBetween = error instanceof LockedError || error instanceof HolderGoneError;
        if (!isBetween || Date.now() - waitingSince > patienceMs || signals.drain.aborted) throw error;
        await sleep(pauseMs);
      }
    }
  } finally {
    release();
  }
}

function workHere(
  home: string,
  begin: Begin,
  signals: Interrupts,
  done: (summary: RunSummary) => void,
): Promise<void> {
  return opening(async (releasers) => {
    const state = await openState(home, process.env);
    releasers.add(() => state.close());
    const here = new RunHere(state);
    releasers.add(() => here.stop({ force: signals.force.aborted }));
    let display: Display | undefined;
    const control = state.isShared
      ? undefined
      : await serveControl(state, new LocalService(state, here, { signal: signals.drain }));
    if (control) releasers.add(() => control.close());
    // This terminal shows its own run alone: those that others hand over are shown in theirs.
    const service = new LocalService(state, here, {
      signal: signals.drain,
      onTaken(run) {
        const opened = openDisplay(run, namesIn(run.pipeline));
        display = opened;
        releasers.add(
          state.events.listen((event) => {
            const concerned = runOf(event);
            if (concerned === undefined || concerned === run.id) opened.show(event);
          }),
        );
      },
    });

    // What fails then fails again at the end, and is told there.
    const leave = (force: boolean) => void here.stop({ force }).catch(() => undefined);
    warn(begin.about);
    signals.drain.addEventListener('abort', () => {
      display?.note('finishing what the servers hold; Ctrl-C again to stop at once');
      leave(false);
    });
    signals.force.addEventListener('abort', () => leave(true));
    const { run } = await begin.start(service, signals.drain);
    const summary = await here.ended(run);
    display?.close();
    if (summary) done(summary);
    // Runs that other terminals handed over: who still watches goes on with it, the others end here.
    for (;;) {
      const unwatched = here.runs.filter(({ id }) => control?.isWatched(id) !== true);
      if (unwatched.length === 0 || signals.drain.aborted) break;
      const names = unwatched.map(({ id }) => id).join(', ');
      warn(`Still at ${names}, which another terminal handed over. Ctrl-C leaves it, resumable.`);
      await Promise.allSettled(unwatched.map(async ({ id }) => here.ended(id)));
    }
    await here.stop({ force: signals.force.aborted });
    await releasers.close();
  });
}

/**
 * Follows a run that the process which holds the folder works on, until it is over or the user leaves the view. Answers
 * its name where that process leaves it before.
 */
async function watch(
  holder: Service,
  begin: Begin,
  interrupt: AbortSignal,
  done: (summary: RunSummary) => void,
): Promise<string | undefined> {
  const { run, after } = await begin.start(holder, interrupt);
  const status = await holder.status(run);
  const display = openDisplay({ id: run, shots: status.shots }, []);
  display.note(
    `${run} is worked on by the process that holds the folder. Ctrl-C leaves this view, and the run goes on; \`reroll cancel ${run}\` ends it.`,
  );
  try {
    const records = holder.events(run, after)[Symbol.asyncIterator]();
    const interrupted = new Promise<'interrupted'>((resolve) => {
      interrupt.addEventListener('abort', () => resolve('interrupted'), { once: true });
    });
    for (;;) {
      const next = await Promise.race([records.next(), interrupted]);
      if (next === 'interrupted') {
        display.leave();
        void records.return?.();
        warn(`Left the view. ${run} goes on: \`reroll status ${run}\` asks how it stands.`);
        return undefined;
      }
      if (next.done) break;
      display.show(next.value.event);
      const { event } = next.value;
      if (event.type === 'run' && event.state === 'interrupted') return run;
      if (event.type === 'run' && isOver(event.state)) break;
    }
    done(await holder.summary(run));
    return undefined;
  } catch (error) {
    if (error instanceof HolderGoneError) return run;
    throw error;
  } finally {
    display.close();
  }
}

/** The names of a recorded pipeline's backends. */
function namesIn(pipeline: Run['pipeline']): string[] {
  const { backends } = pipeline as { backends?: { name?: unknown }[] };
  return (backends ?? []).flatMap(({ name }) => (typeof name === 'string' ? name : []));
}
