import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../errors.js';
import type { AttemptKey, Run, ShotRecord } from '../ledger/index.js';
import { compilePipeline } from '../pipeline/index.js';
import { isOver } from '../loop/index.js';
import { firstPage } from '../report/index.js';
import { cancelInterrupted } from './cancel.js';
import { summaryOf, type RunSummary } from './finish.js';
import type { RunEvent } from './events.js';
import { lostImages } from './lost.js';
import { paceOf } from './pace.js';
import { runLease } from './roles.js';
import type { RunHere } from './run-here.js';
import { reportRun } from './report.js';
import { retryTask } from './retry.js';
import type {
  Past,
  RetryRequest,
  RunRecord,
  RunStatus,
  ServerStatus,
  Service,
  Submission,
  Taken,
  WrittenReport,
} from './service.js';
import { findUnfinished, newRun, recordedRun, type Task } from './start.js';
import type { State } from './state.js';
import { kept, tail } from './tail.js';

export interface LocalOptions {
  /** Aborts what is being opened. */
  signal: AbortSignal;
  /** Hears of a run that is taken on before anything is told of it. */
  onTaken?: (run: Run) => void;
}

/** Files that are named of those that are gone. */
const namedFiles = 10;

/** The service by the process that holds the state folder, or by one of those that share its database. */
export class LocalService implements Service {
  readonly #state: State;
  readonly #here: RunHere;
  readonly #options: LocalOptions;

  constructor(state: State, here: RunHere, options: LocalOptions = { signal: new AbortController().signal }) {
    this.#state = state;
    this.#here = here;
    this.#options = options;
  }

  async submit({ pipeline: raw, set = [], file, env }: Submission): Promise<Taken> {
    const variables = { ...process.env, ...env };
    const pipeline = compilePipeline(raw, { file, env: variables, isRecorded: false, set });
    return this.#take(newRun(this.#state, pipeline), variables);
  }

  async resume({ run: id, env }: { run?: string; env: { [name: string]: string } }): Promise<Taken> {
    const run = await findUnfinished(this.#state, id);
    const held = this.#here.find(run.id);
    if (held) return { run: held.id, after: held.after };
    const variables = { ...process.env, ...env };
    return this.#take(await recordedRun(this.#state, run, variables), variables);
  }

  async retry(request: RetryRequest): Promise<Taken> {
    const run = await this.#over(request.run);
    const variables = { ...process.env, ...request.env };
    // Its report may still be being written here.
    if (run.state !== 'running' && run.state !== 'paused' && this.#here.find(run.id))
      await this.#here.ended(run.id);
    let opened: RunEvent | undefined;
    const onOpened = (event: RunEvent) => (opened = event);
    const taken = await this.#take(
      await retryTask(this.#state, run, request, { env: variables, onOpened }),
      variables,
    );
    if (opened) this.#state.events.emit(opened);
    return taken;
  }

  async runs(): Promise<RunStatus[]> {
    const runs = await this.#state.ledger.runs();
    return Promise.all(runs.map((run) => this.#statusOf(run)));
  }

  async status(id?: string): Promise<RunStatus> {
    return this.#statusOf(await this.#find(id));
  }

  async past(file: string): Promise<Past | undefined> {
    const { ledger } = this.#state;
    for (const { id: run, pipelineFile } of await ledger.runs()) {
      if (pipelineFile !== file) continue;
      const { attempts, accepted } = await ledger.progress(run);
      if (attempts > 0) return { run, attempts, accepted, servers: await ledger.served(run) };
    }
    return undefined;
  }

  async missing(id: string): Promise<{ images: number; files: string[] }> {
    const missing = { images: 0, files: [] as string[] };
    for await (const { file } of lostImages(this.#state, await this.#find(id))) {
      missing.images++;
      if (missing.files.length < namedFiles) missing.files.push(file);
    }
    return missing;
  }

  async report(id?: string): Promise<WrittenReport> {
    const run = await this.#find(id);
    const { ledger, store } = this.#state;
    if (run.store !== store)
      throw new ConfigError(`the images of ${run.id} lie on another machine (${run.store}): ask there.`);
    const held = this.#here.find(run.id);
    const { pipeline } = held ?? (await recordedRun(this.#state, run, process.env));
    const isOver = run.state === 'completed' || run.state === 'cancelled';
    const written = reportRun(ledger, run, pipeline, { isOver });
    // One that began before the last shot ended must not take the place of the last one.
    await (held ? held.during(written) : written);
    return { run: run.id, file: join(run.outputDir, run.id, firstPage), isOver };
  }

  async summary(id: string): Promise<RunSummary> {
    const { id: run } = await this.#find(id);
    return this.#here.ended(run) ?? summaryOf(this.#state, run);
  }

  async pause(id?: string): Promise<RunStatus> {
    return this.#move(await this.#named(id, 'running'), 'paused');
  }

  async unpause(id?: string): Promise<RunStatus> {
    return this.#move(await this.#named(id, 'paused'), 'running');
  }

  async cancel(id?: string): Promise<RunStatus> {
    const run = await this.#named(id, 'running');
    if (this.#here.find(run.id)) await this.#here.cancel(run.id);
    // Whoever carries it sees that it is cancelled, and tells its servers.
    else if (await this.#isCarried(run)) await this.#state.ledger.cancelRun(run.id);
    // Again also where it is cancelled already: whoever did that may have died before the servers and the manifest.
    else if (run.state !== 'completed') await cancelInterrupted(this.#state, run, process.env);
    return this.status(run.id);
  }

  async shots(id: string, { from, limit }: { from: number; limit: number }): Promise<ShotRecord[]> {
    const { id: run } = await this.#find(id);
    const page: ShotRecord[] = [];
    if (limit < 1) return page;
    for await (const shot of this.#state.ledger.shots(run, from)) {
      page.push(shot);
      if (page.length >= limit) break;
    }
    return page;
  }

  attempt(key: AttemptKey) {
    return this.#state.ledger.attempt(key);
  }

  async servers(): Promise<ServerStatus[]> {
    return this.#here.servers();
  }

  async history(id: string, page: { after: number; limit: number }): Promise<RunRecord[]> {
    const { id: run } = await this.#find(id);
    return (await this.#state.ledger.events(run, page.after, page.limit)).map(kept);
  }

  async *events(id: string, after: number): AsyncIterable<RunRecord> {
    const { id: run } = await this.#find(id);
    yield* tail(this.#state, this.#here, run, after);
  }

  async #take(task: Task, env: NodeJS.ProcessEnv): Promise<Taken> {
    const { signal, onTaken } = this.#options;
    const open = await this.#here.take(task, {
      env,
      signal,
      ...(onTaken && { onTaken }),
    });
    return { run: open.id, after: open.after };
  }

  async #move(run: Run, to: 'paused' | 'running'): Promise<RunStatus> {
    if (run.state !== to && !(await this.#state.ledger.moveRun(run.id, to))) {
      const word = to === 'paused' ? 'paused' : 'unpaused';
      throw new ConfigError(`${run.id} is ${run.state}: it cannot be ${word}.`);
    }
    await this.#here.refresh();
    return this.status(run.id);
  }

  /** A run that is not over: the named one, the only one, or the only one in the state that is wanted. */
  async #named(id: string | undefined, wanted: Run['state']): Promise<Run> {
    if (id !== undefined) return this.#find(id);
    const open = await this.#state.ledger.openRuns();
    const held = open.filter((run) => this.#here.find(run.id));
    const meant = held.length > 0 ? held : open;
    const fitting = meant.filter(({ state }) => state === wanted);
    const [run, other] = fitting.length === 1 ? fitting : meant;
    if (run && !other) return run;
    if (!run) throw new ConfigError(`no run is going on in ${this.#state.home}; \`reroll runs\` lists all.`);
    const names = meant.map(({ id }) => id).join(', ');
    throw new ConfigError(`several runs are going on: ${names}. Name the one that you mean.`);
  }

  /** The named run, or the newest that is over. */
  async #over(id?: string): Promise<Run> {
    if (id !== undefined) return this.#find(id);
    const runs = await this.#state.ledger.runs();
    const run = runs.find(({ state }) => isOver(state));
    if (run) return run;
    throw new ConfigError(`no run in ${this.#state.home} is over: nothing to try again.`);
  }

  async #find(id?: string): Promise<Run> {
    const { ledger, home } = this.#state;
    const run = id === undefined ? (await ledger.runs())[0] : await ledger.run(id);
    if (run) return run;
    if (id === undefined)
      throw new ConfigError(`there are no runs in ${home} yet: start one with \`reroll run\`.`);
    const known = (await ledger.runs()).slice(0, 5).map((other) => other.id);
    throw new ConfigError(`there is no run ${id} in ${home}. The newest are: ${known.join(', ') || 'none'}.`);
  }

  async #statusOf(run: Run): Promise<RunStatus> {
    const progress = await this.#state.ledger.progress(run.id);
    const open = this.#here.find(run.id);
    const isCarried = open !== undefined || (await this.#isCarried(run));
    const outputDir = join(run.outputDir, run.id);
    const report = join(outputDir, firstPage);
    return {
      ...progress,
      state: !isCarried && progress.state === 'running' ? 'interrupted' : progress.state,
      name: run.name,
      file: run.pipelineFile,
      createdAt: run.createdAt.toISOString(),
      ...(run.finishedAt && { finishedAt: run.finishedAt.toISOString() }),
      outputDir,
      ...((await isThere(report)) && { report }),
      review: await this.#state.ledger.inReview(run.id),
      ...(progress.accepted > 0 && { attemptsPerImage: progress.attempts / progress.accepted }),
      ...(open && progress.state === 'running' && paceOf(progress, open)),
    };
  }

  /** Whether a process, here or elsewhere, has the coordinator's lease. */
  async #isCarried({ id, state }: Run): Promise<boolean> {
    if (!this.#state.isShared || isOver(state)) return false;
    const [lease] = await this.#state.ledger.leases(runLease(id));
    return lease?.held ?? false;
  }
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
