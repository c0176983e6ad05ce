import type { Classifier } from '../classifier/index.js';
import type { DueLane, Run, RunProgress } from '../ledger/index.js';
import type { RunState } from '../loop/index.js';
import type { Pipeline } from '../pipeline/index.js';
import { describeLacks, type Lack } from '../backends/index.js';
import type { Member } from './member.js';
import type { Output } from './output.js';
import { WorkClock } from './pace.js';

/** Who can serve a lane of a run. */
export interface LaneServers {
  /** Of all that have its tags and are of a kind that can: equal for runs whose lanes may share a queue. */
  identities: string[];
  able: Member[];
  /** What the others lack. */
  lacks: Map<Member, Lack[]>;
  /** Why none of the run's servers ever will; absent where one may. */
  hopeless?: string;
}

/** A run in this process: its rules, compiled once from what the ledger stores, and its ways to its servers. */
export class OpenRun {
  readonly output: Output;
  readonly clock = new WorkClock();
  /** Why images could not be read, as far as it was told. */
  readonly unreadable = new Set<string>();
  state: RunState = 'running';
  /** This process takes nothing more of it. */
  isLeaving = false;
  readonly #cancelled = new AbortController();
  readonly #active = new Set<Promise<unknown>>();

  readonly run: Run;
  readonly pipeline: Pipeline;
  readonly members: readonly Member[];
  /** The classifier where this process judges. */
  readonly judge: { key: string; classifier?: Classifier };
  /** How it stood when this process took it on. */
  readonly before: RunProgress;
  /** Later events, by their sequence, are of this process. */
  readonly after: number;

  constructor(
    given: Pick<OpenRun, 'run' | 'pipeline' | 'output' | 'members' | 'judge' | 'before' | 'after'>,
  ) {
    const { run, pipeline, output, members, judge, before, after } = given;
    this.run = run;
    this.pipeline = pipeline;
    this.members = members;
    this.judge = judge;
    this.before = before;
    this.after = after;
    this.output = output;
  }

  get id(): string {
    return this.run.id;
  }

  /** False where it is paused, over, or left: what waits for a server's slot then waits no longer. */
  get isTaking(): boolean {
    return this.state === 'running' && !this.isLeaving;
  }

  /** Aborts when the run is cancelled, or given up in a hurry: what is under way for it stops. */
  get signal(): AbortSignal {
    return this.#cancelled.signal;
  }

  abort(): void {
    this.#cancelled.abort();
  }

  /** Counts work as the run's until it is done. */
  async during<T>(work: Promise<T>): Promise<T> {
    const done = work.then(
      () => undefined,
      () => undefined,
    );
    this.#active.add(done);
    try {
      return await work;
    } finally {
      this.#active.delete(done);
    }
  }

  /** Resolves when nothing is under way for it here. */
  async settled(): Promise<void> {
    while (this.#active.size > 0) await Promise.all(this.#active);
  }

  /** Its servers that have the tags of a lane and are of a kind that can. */
  serversFor(due: Pick<DueLane, 'tags' | 'repair'>): Member[] {
    return this.members.filter((member) => member.serves(due));
  }

  /** Asks its servers what they lack for a lane. */
  async whoCan(due: DueLane): Promise<LaneServers> {
    const fit = this.serversFor(due);
    const lacks = new Map<Member, Lack[]>();
    await Promise.all(
      fit.map(async (member) => {
        const answer = await member.lacksFor(due, this.signal);
        if (answer) lacks.set(member, answer);
      }),
    );
    const able = fit.filter((member) => lacks.get(member)?.length === 0);
    const identities = fit.map(({ identity }) => identity);
    if (able.length > 0 || lacks.size < fit.length) return { identities, able, lacks };
    const hopeless =
      fit.length === 0
        ? describeUnserved(due)
        : [...lacks].map(([{ name }, lack]) => `${name}: ${describeLacks(lack)}`).join('; ');
    return { identities, able, lacks, hopeless };
  }
}

function describeUnserved({ tags, repair }: Pick<DueLane, 'tags' | 'repair'>): string {
  const who = tags.length === 0 ? 'no backend' : `no backend with the tags ${tags.join(', ')}`;
  return repair ? `${who} can repair an image with ${repair.with}` : `${who} is in the pipeline`;
}
