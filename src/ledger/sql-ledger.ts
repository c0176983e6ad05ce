import type pg from 'pg';
import { ConfigError } from '../errors.js';
import { laneOf, openOf } from '../loop/index.js';
import type { Json, Step, Verdict } from '../loop/index.js';
import { insertRun } from './create-run.js';
import { cancelRun, failShot } from './end-shots.js';
import { databaseError } from './failure.js';
import { toJsonb, toText } from './json.js';
import type { Leases } from './leases.js';
import type { Patience } from './patience.js';
import * as reads from './reads.js';
import { present } from './records.js';
import type { Row } from './records.js';
import { retryShots } from './retry-shots.js';
import type { Statement } from './statement.js';
import * as statements from './statements.js';
import { compact, sweep } from './sweep.js';
import { transaction } from './transaction.js';
import type {
  Again,
  Attempt,
  AttemptKey,
  BudgetCount,
  Candidate,
  DueAttempt,
  DueLane,
  EventRecord,
  FileRecord,
  Lease,
  LeaseRecord,
  Ledger,
  NewRun,
  NewShot,
  Run,
  RunProgress,
  ShotRecord,
} from './types.js';

/** Shots, with all their attempts, that are read at a time. */
const pageSize = 200;
const lastIndex = 2 ** 31 - 1;

type ShotWithoutAttempts = Omit<ShotRecord, 'attempts'>;
type AttemptWithoutTags = Omit<Attempt, 'tags'>;

/** Events of a run that stay, and how many come before the older ones go. */
const keptEvents = 50_000;
const trimEvery = 5_000;

/** From which states a run may move to one. Cancelling has a method of its own. */
const legalMoves = { running: ['paused'], paused: ['running'], completed: ['running', 'paused'] };

export interface LedgerParts {
  id: string;
  pool: pg.Pool;
  leases: Leases;
  /** A server's; the embedded database refuses nothing for a while. */
  patience: Patience | undefined;
  /** Gives back what opening the ledger took. */
  release: () => Promise<void>;
}

/** The ledger in a PostgreSQL database, embedded or a server's. */
export class SqlLedger implements Ledger {
  readonly id: string;
  readonly #parts: LedgerParts;
  readonly #pool: pg.Pool;
  /** Guards every move. */
  readonly #lease: Lease | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: LedgerParts, lease?: Lease) {
    this.id = parts.id;
    this.#parts = parts;
    this.#pool = parts.pool;
    this.#lease = lease;
  }

  takeLease(name: string): Promise<Lease | undefined> {
    return this.#ask(() => this.#parts.leases.take(name));
  }

  releaseLease(lease: Lease): Promise<void> {
    return this.#ask(() => this.#parts.leases.release(lease));
  }

  leases(prefix: string): Promise<LeaseRecord[]> {
    return this.#ask(() => this.#parts.leases.list(prefix));
  }

  onLost(listener: (lease: Lease) => void): () => void {
    return this.#parts.leases.onLost(listener);
  }

  under(lease: Lease): Ledger {
    return new SqlLedger(this.#parts, lease);
  }

  bePatient(until: AbortSignal): void {
    this.#parts.patience?.last(until);
  }

  async appendEvents(run: string, events: { code: string; data: Json }[]): Promise<number> {
    const [counted] = await this.#query<{ last: number }>(statements.appendEvents, [run, toJsonb(events)]);
    const last = counted?.last ?? 0;
    // Now and then: to delete one for each that comes would cost as much as to write it.
    const isDue = Math.floor(last / trimEvery) > Math.floor((last - events.length) / trimEvery);
    if (isDue && last > keptEvents) await this.#send(statements.trimEvents, [run, last - keptEvents]);
    return last;
  }

  async events(run: string, after: number, limit: number): Promise<EventRecord[]> {
    return this.#query<EventRecord>(reads.events, [run, after, limit]);
  }

  async openRuns(): Promise<Run[]> {
    const rows = await this.#query<Row<Run>>(reads.openRuns, []);
    return rows.map((row) => present<Run>(row));
  }

  /** `newShots` and `taken` may not use the ledger: the embedded database has one session, and this one holds it. */
  async createRun(
    run: NewRun,
    newShots: AsyncIterable<NewShot>,
    taken: (id: string) => Promise<boolean>,
  ): Promise<Run> {
    const id = await this.#transaction((client) => insertRun(client, run, newShots, taken));
    const created = await this.run(id);
    if (!created) throw new Error(`the run ${id} is gone right after it was made`);
    return created;
  }

  async file(run: string, path: string): Promise<FileRecord | undefined> {
    return (await this.#query<FileRecord>(reads.file, [run, path]))[0];
  }

  async *files(run: string): AsyncIterable<FileRecord> {
    for (let after = ''; ;) {
      const page = await this.#query<FileRecord>(reads.filesPage, [run, after, pageSize]);
      yield* page;
      const end = page.at(-1);
      if (!end) return;
      after = end.path;
    }
  }

  async run(id: string): Promise<Run | undefined> {
    const [row] = await this.#query<Row<Run>>(reads.run, [id]);
    return row && present<Run>(row);
  }

  async runs(): Promise<Run[]> {
    const rows = await this.#query<Row<Run>>(reads.runs, []);
    return rows.map((row) => present<Run>(row));
  }

  async moveRun(id: string, to: 'running' | 'paused' | 'completed'): Promise<boolean> {
    return this.#guarded(statements.moveRun, [id, to, legalMoves[to]]);
  }

  async cancelRun(id: string): Promise<{ backend: string; remoteId: string }[]> {
    return this.#ask(() => transaction(this.#pool, (client) => cancelRun(client, id)));
  }

  async progress(id: string): Promise<RunProgress> {
    const [row] = await this.#query<RunProgress>(reads.progress, [id]);
    if (!row) throw new ConfigError(`There is no run ${id}. \`reroll runs\` lists those that there are.`);
    return row;
  }

  async *published(run: string): AsyncIterable<{ shot: number; path: string }[]> {
    for (let after = 0; ;) {
      const page = await this.#query<{ shot: number; path: string }>(reads.published, [run, after, pageSize]);
      const end = page.at(-1);
      if (!end) return;
      yield page;
      after = end.shot;
    }
  }

  async inReview(run: string): Promise<number> {
    const [counted] = await this.#query<{ images: number }>(reads.inReview, [run]);
    return counted?.images ?? 0;
  }

  served(run: string): Promise<{ backend: string; images: number; seconds: number }[]> {
    return this.#query(reads.served, [run]);
  }

  async openShots(id: string): Promise<number> {
    return openOf(await this.progress(id));
  }

  async dueAttempts(
    run: string,
    state: 'due' | 'generated',
    limit: number,
    lane?: string,
  ): Promise<DueAttempt[]> {
    return lane === undefined
      ? this.#query<DueAttempt>(statements.due, [run, state, limit])
      : this.#query<DueAttempt>(statements.dueInLane, [run, state, limit, lane]);
  }

  async dueLanes(run: string): Promise<DueLane[]> {
    const rows = await this.#query<Row<DueLane>>(statements.dueLanes, [run]);
    return rows.map((row) => present<DueLane>(row));
  }

  async attempt(key: AttemptKey): Promise<Attempt | undefined> {
    const [row] = await this.#query<Row<Attempt>>(reads.attempt, keyOf(key));
    return row && present<Attempt>(row);
  }

  async shot(run: string, index: number): Promise<ShotRecord | undefined> {
    const [shot] = await this.#page(run, index, index, 1);
    return shot;
  }

  async *shots(run: string, first = 1): AsyncIterable<ShotRecord> {
    for (let from = first; ;) {
      const page = await this.#page(run, from, lastIndex, pageSize);
      yield* page;
      const end = page.at(-1);
      if (!end) return;
      from = end.index + 1;
    }
  }

  async recordSending(key: AttemptKey, backend: string, remoteId: string): Promise<boolean> {
    return this.#guarded(statements.sending, [...keyOf(key), backend, remoteId]);
  }

  async recordServerError(
    key: AttemptKey,
    message: string,
    keepRemote: boolean,
    counts = true,
  ): Promise<number> {
    const [counted] = await this.#query<{ server_errors: number }>(statements.serverError, [
      ...keyOf(key),
      toText(message),
      keepRemote,
      counts,
      ...this.#fence(),
    ]);
    return counted?.server_errors ?? (await this.attempt(key))?.serverErrors ?? 0;
  }

  async dropRepair(key: AttemptKey): Promise<boolean> {
    const attempt = await this.attempt(key);
    if (!attempt?.repair) return false;
    return this.#guarded(statements.dropRepair, [...keyOf(key), laneOf(attempt.request, attempt.tags)]);
  }

  async recordCandidate(key: AttemptKey, candidate: Candidate): Promise<boolean> {
    return this.#guarded(statements.candidate, [...keyOf(key), toJsonb(candidate)]);
  }

  async recordLostCandidate(key: AttemptKey): Promise<boolean> {
    return this.#guarded(statements.lostCandidate, keyOf(key));
  }

  async recordVerdict(
    key: AttemptKey,
    verdict: Verdict,
    model: Json,
    step: Step,
    published?: string,
  ): Promise<boolean> {
    const values = [
      ...keyOf(key),
      ...(await this.#stepOf(key, step, published)),
      toJsonb(verdict),
      toJsonb(model),
    ];
    return this.#guarded(statements.verdict, values);
  }

  async recordAgain(
    last: AttemptKey,
    number: number,
    judged?: { verdict: Verdict; model: Json },
  ): Promise<boolean> {
    const wait = await this.#stepOf(last, { kind: 'wait' }, undefined);
    return this.#ask(() =>
      transaction(this.#pool, async (client) => {
        const moves = async (statement: Statement, values: unknown[]) =>
          (await client.query({ ...statement, values: [...values, ...this.#fence()] })).rowCount === 1;
        if (judged) {
          const { verdict, model } = judged;
          const values = [...keyOf(last), ...wait, toJsonb(verdict), toJsonb(model)];
          if (!(await moves(statements.verdict, values))) return false;
        }
        const isAgain = await moves(statements.again, keyOf({ ...last, number }));
        // What was just judged must not be left waiting for nothing.
        if (!isAgain && judged)
          throw new Error(`attempt ${number} of shot ${last.shot} cannot be made again`);
        return isAgain;
      }),
    );
  }

  async recordStep(key: AttemptKey, step: Step, published?: string): Promise<boolean> {
    if (step.kind === 'wait') return false;
    const values = [...keyOf(key), ...(await this.#stepOf(key, step, published))];
    return this.#guarded(statements.stepAfterWait, values);
  }

  async retryShots(run: string, again: Again): Promise<number> {
    return this.#transaction((client) => retryShots(client, run, again));
  }

  async failShot(run: string, shot: number, reason: string): Promise<boolean> {
    return this.#ask(() =>
      transaction(this.#pool, (client) => failShot(client, run, shot, reason, this.#lease)),
    );
  }

  async claimPath(run: string, shot: number, path: string, wanted: string): Promise<boolean> {
    return this.#moves(statements.claimPath, [run, fold(path), shot, wanted, path]);
  }

  async renamedPaths(run: string): Promise<{ shot: number; wanted: string; path: string }[]> {
    return this.#query(statements.renamedPaths, [run]);
  }

  async waitingShots(run: string, end: 'first' | 'last', limit: number): Promise<AttemptKey[]> {
    const statement = end === 'first' ? statements.waitingFirst : statements.waitingLast;
    return this.#query<AttemptKey>(statement, [run, limit]);
  }

  async budgetCounts(run: string, shot: number): Promise<BudgetCount[]> {
    return this.#query<BudgetCount>(statements.budget, [run, shot]);
  }

  async sweep(what: { runs: string[]; isDry: boolean }): Promise<{ [table: string]: number }> {
    return this.#transaction((client) => sweep(client, what));
  }

  async compact(): Promise<void> {
    await this.#read(compact(this.#pool));
  }

  async close(): Promise<void> {
    await (this.#closing ??= this.#parts.release());
  }

  /** Parameters $4 to $9 of the statements that take a step. */
  async #stepOf(key: AttemptKey, step: Step, published: string | undefined): Promise<unknown[]> {
    if (step.kind === 'wait') return [null, null, null, null, null, null];
    if (step.kind === 'end') return [null, null, null, step.outcome, step.keep ?? null, published ?? null];
    // Tags never change, so reading them before the write is as good as within it.
    const [shot] = await this.#query<{ tags: string[] }>(statements.tags, [key.run, key.shot]);
    const repair = step.repair === undefined ? null : toJsonb(step.repair);
    const lane = laneOf(step.request, shot?.tags ?? [], step.repair);
    return [toJsonb(step.request), lane, repair, null, null, null];
  }

  /** Up to `limit` shots of a range of indices, each with its attempts. */
  async #page(run: string, from: number, to: number, limit: number): Promise<ShotRecord[]> {
    const page = await this.#query<Row<ShotWithoutAttempts>>(reads.shotsPage, [run, from, to, limit]);
    const end = page.at(-1);
    if (!end) return [];
    const rows = await this.#query<Row<AttemptWithoutTags>>(reads.attemptsPage, [run, from, end.index]);
    const records = page.map((shot): ShotRecord => ({ ...present<ShotWithoutAttempts>(shot), attempts: [] }));
    const byIndex = new Map(records.map((record) => [record.index, record]));
    for (const row of rows) {
      const shot = byIndex.get(row.shot);
      shot?.attempts.push({ ...present<AttemptWithoutTags>(row), tags: shot.tags });
    }
    return records;
  }

  /** A move under the ledger's lease, whose name and number are the statement's last parameters. */
  #guarded(statement: Statement, values: unknown[]): Promise<boolean> {
    return this.#moves(statement, [...values, ...this.#fence()]);
  }

  #fence(): unknown[] {
    return [this.#lease?.name ?? null, this.#lease?.number ?? null];
  }

  /** True where the statement found its row in the state that it moves from. */
  async #moves(statement: Statement, values: unknown[]): Promise<boolean> {
    return (await this.#send(statement, values)).rowCount === 1;
  }

  async #query<Row extends pg.QueryResultRow>(statement: Statement, values: unknown[]): Promise<Row[]> {
    return (await this.#send(statement, values)).rows as Row[];
  }

  async #send(statement: Statement, values: unknown[]): Promise<pg.QueryResult> {
    return this.#ask(() => this.#pool.query({ ...statement, values }));
  }

  /** For what may not be repeated: a second commit would make a second run. */
  async #transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    return this.#read(transaction(this.#pool, work));
  }

  /** For what may be repeated: waits where the database refuses for a while. */
  #ask<T>(work: () => Promise<T>): Promise<T> {
    const { patience } = this.#parts;
    return this.#read(patience ? patience.keep(work) : work());
  }

  async #read<T>(answer: PromiseLike<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw databaseError(error);
    }
  }
}

/** As macOS and Windows compare names: É and é are one letter, and so are é and e with an accent behind it. */
const fold = (path: string): string => path.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC');

const keyOf = (key: AttemptKey): unknown[] => [key.run, key.shot, key.number];
