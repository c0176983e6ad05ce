import { join } from 'node:path';
import { ConfigError } from '../errors.js';
import type { Run, RunProgress } from '../ledger/index.js';
import type { RunState } from '../loop/index.js';
import { cancelInterrupted } from './cancel.js';
import type { State } from './state.js';
import type { ActiveRun } from './run.js';

/** Where a run stands. */
export interface RunStatus extends Omit<RunProgress, 'state'> {
  /** `interrupted`: not over, and no process works on it. */
  state: RunState | 'interrupted';
  name: string;
  createdAt: string;
  finishedAt?: string;
  outputDir: string;
  /** Attempts for each accepted image, so far. */
  attemptsPerImage?: number;
  /** Only while a process works on it. */
  shotsPerMinute?: number;
  etaSeconds?: number;
}

/** What can be asked of a state folder, by the process that holds it or from outside through its socket. */
export interface Control {
  runs(): Promise<RunStatus[]>;
  /** The run, or the newest one. */
  status(run?: string): Promise<RunStatus>;
  pause(run: string): Promise<RunStatus>;
  unpause(run: string): Promise<RunStatus>;
  cancel(run: string): Promise<RunStatus>;
}

/** Control by the process that holds the state folder. */
export class LocalControl implements Control {
  #active: { run: ActiveRun; startedAt: number; endedBefore: number } | undefined;

  constructor(private readonly state: State) {}

  /** From now on `active` is the run that this process works on. */
  async attach(active: ActiveRun): Promise<void> {
    const progress = await this.state.ledger.progress(active.id);
    this.#active = { run: active, startedAt: Date.now(), endedBefore: ended(progress) };
  }

  async runs(): Promise<RunStatus[]> {
    const runs = await this.state.ledger.runs();
    return Promise.all(runs.map((run) => this.#statusOf(run)));
  }

  async status(id?: string): Promise<RunStatus> {
    return this.#statusOf(await this.#find(id));
  }

  async pause(id: string): Promise<RunStatus> {
    await this.#move(id, 'paused');
    return this.status(id);
  }

  async unpause(id: string): Promise<RunStatus> {
    await this.#move(id, 'running');
    return this.status(id);
  }

  async cancel(id: string): Promise<RunStatus> {
    const run = await this.#find(id);
    if (this.#active?.run.id === run.id) await this.#active.run.cancel();
    // Again also where it is cancelled already: whoever did that may have died before the servers and the manifest.
    else if (run.state !== 'completed') await cancelInterrupted(this.state, run, process.env);
    return this.status(run.id);
  }

  async #move(id: string, to: 'paused' | 'running'): Promise<void> {
    const run = await this.#find(id);
    if (run.state === to) return;
    const moved =
      this.#active?.run.id === run.id
        ? await this.#active.run.setPaused(to === 'paused').then(() => true)
        : await this.state.ledger.moveRun(run.id, to);
    if (!moved)
      throw new ConfigError(
        `${run.id} is ${run.state}: it cannot be ${to === 'paused' ? 'paused' : 'unpaused'}.`,
      );
  }

  async #find(id?: string): Promise<Run> {
    const run = id === undefined ? (await this.state.ledger.runs())[0] : await this.state.ledger.run(id);
    if (run) return run;
    if (id === undefined)
      throw new ConfigError(`there are no runs in ${this.state.home} yet: start one with \`reroll run\`.`);
    const known = (await this.state.ledger.runs()).slice(0, 5).map((other) => other.id);
    throw new ConfigError(
      `there is no run ${id} in ${this.state.home}. The newest are: ${known.join(', ') || 'none'}.`,
    );
  }

  async #statusOf(run: Run): Promise<RunStatus> {
    const progress = await this.state.ledger.progress(run.id);
    const live = this.#active?.run.id === run.id ? this.#active : undefined;
    return {
      ...progress,
      state: !live && run.state === 'running' ? 'interrupted' : run.state,
      name: run.name,
      createdAt: run.createdAt.toISOString(),
      ...(run.finishedAt && { finishedAt: run.finishedAt.toISOString() }),
      outputDir: join(run.outputDir, run.id),
      ...(progress.accepted > 0 && { attemptsPerImage: progress.attempts / progress.accepted }),
      ...(live && run.state === 'running' && pace(progress, live)),
    };
  }
}

function ended({ accepted, exhausted, failed, cancelled }: RunProgress): number {
  return accepted + exhausted + failed + cancelled;
}

/** How fast shots end since this process began, and when the last one will at that pace. */
export function pace(progress: RunProgress, since: { startedAt: number; endedBefore: number }) {
  const minutes = (Date.now() - since.startedAt) / 60_000;
  const done = ended(progress) - since.endedBefore;
  if (done === 0 || minutes === 0) return {};
  const shotsPerMinute = done / minutes;
  return { shotsPerMinute, etaSeconds: ((progress.shots - ended(progress)) / shotsPerMinute) * 60 };
}
