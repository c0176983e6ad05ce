import type {
  ImageRequest,
  Json,
  Outcome,
  Repair,
  Round,
  RunState,
  Shot,
  Step,
  Verdict,
} from '../loop/index.js';

/** Names one attempt. */
export interface AttemptKey {
  run: string;
  /** The shot's 1-based index in the run. */
  shot: number;
  /** The attempt's number, from 1. */
  number: number;
}

/**
 * - `due`: to be generated (waiting in the queue, or at a server right now)
 * - `generated`: the candidate is stored; a verdict is due
 * - `judged`: it has its verdict
 * - `dropped`: its shot ended before it came to a verdict (cancelled, failed)
 *
 * Legal moves: due -> generated -> judged; generated | judged -> due (its candidate got lost); due | generated -> dropped.
 */
export type AttemptState = 'due' | 'generated' | 'judged' | 'dropped';

export interface NewRun {
  name: string;
  /** Absolute path of the pipeline's file. */
  pipelineFile: string;
  /** The merged pipeline before environment variables are put in: secrets stay out of the ledger. */
  pipeline: Json;
  /** Its keys that `--set` gave. */
  set: string[];
  seed: number;
  /** Absolute; the run's folder is made inside it. */
  outputDir: string;
  /** Where its candidates lie: only who reaches that place can work on it. */
  store: string;
  /** Whether the whole run has a budget: how far its shots are is counted, then. */
  hasBudget: boolean;
  /** What its pipeline names, as it is now. */
  files: FileRecord[];
}

/** A file that a run names, as it was when the run was recorded. */
export interface FileRecord {
  /** Absolute. */
  path: string;
  sha256: string;
  bytes: number;
  /** Milliseconds since 1970. */
  modifiedMs: number;
}

export interface NewShot extends Shot {
  /** The files that it names. */
  files?: FileRecord[];
}

/** A role that somebody holds: `run/<id>` its coordinator's, `agent/<address>` an agent's. */
export interface Lease {
  name: string;
  /** Grows each time that the lease is taken. */
  number: number;
}

export interface LeaseRecord extends Lease {
  /** Host and process, in words. */
  owner: string;
  /** Whether it is held now, by the database's clock. */
  held: boolean;
}

/** Something that happened in a run. */
export interface EventRecord {
  run: string;
  /** From 1, without gaps. */
  sequence: number;
  at: Date;
  code: string;
  data: Json;
}

export interface Run extends Omit<NewRun, 'hasBudget' | 'files'> {
  /** `portraits-3`: the name and a number. */
  id: string;
  state: RunState;
  shots: number;
  createdAt: Date;
  finishedAt?: Date;
}

export interface Candidate {
  /** Path below the candidates folder. */
  file: string;
  /** Which folder that is, where several places share the ledger. */
  store?: string;
  sha256: string;
  width: number;
  height: number;
  /** png, jpeg or webp: what the server sent. */
  format: string;
  /** Set where it shows, pixel for pixel, what it was to repair: the repair found nothing to do. */
  unchanged?: true;
  /** The seed that the server used. */
  seed: number;
  /** The request as sent. */
  sent: Json;
  /** What was sent for settings that the request left out, or changed without knowing them. */
  settings?: { [setting: string]: Json };
  /** Product, version, checkpoint. */
  server: Json;
  /** Seconds that the server took. */
  seconds: number;
}

export interface Attempt extends AttemptKey {
  state: AttemptState;
  request: ImageRequest;
  /** Its shot's. */
  tags: string[];
  lane: string;
  /** Set where this attempt repairs the candidate of the attempt before. */
  repair?: Repair;
  backend?: string;
  remoteId?: string;
  /** Server errors that this attempt met so far. They use up no attempt. */
  serverErrors: number;
  lastError?: string;
  /** How often its candidate got lost. */
  lost?: number;
  candidate?: Candidate;
  verdict?: Verdict;
  /** Which model gave the verdict. */
  model?: Json;
  createdAt: Date;
  generatedAt?: Date;
  judgedAt?: Date;
}

export interface ShotRecord extends Shot {
  run: string;
  outcome?: Outcome;
  /** Why it failed, in the server's own words. */
  reason?: string;
  /** The attempt whose candidate was published or laid aside for review. */
  kept?: number;
  /** Path of the published file below the run's folder. */
  published?: string;
  /** Set where it was asked for again. `kept` and `published` are of earlier rounds until it ends. */
  round?: Round;
  /** In order. */
  attempts: Attempt[];
}

/** Which ended shots of a run that is over are asked for again, and how. */
export interface Again {
  outcomes: Outcome[];
  /** Indices; left out: all that ended so. */
  shots?: number[];
  /** Attempts that each may use. */
  attempts: number;
  /** The kept image is lost: made again as it was, seed and all, where it was no repair. */
  isLost?: boolean;
  /** In place of the recorded one, and the keys that were set for it. */
  pipeline?: Json;
  set?: string[];
  /** Files that it names which were not recorded. */
  files: FileRecord[];
}

export interface RunProgress {
  run: string;
  state: RunState;
  shots: number;
  accepted: number;
  exhausted: number;
  failed: number;
  cancelled: number;
  /** Attempts that have a verdict. */
  attempts: number;
  /** Of those, the ones not accepted. */
  rejected: number;
  /** Attempts waiting for or at a server. */
  due: number;
  /** Candidates waiting for a verdict. */
  generated: number;
  serverErrors: number;
}

export interface DueAttempt extends AttemptKey {
  lane: string;
  priority: number;
}

/** A lane of a run that has due attempts. */
export interface DueLane {
  lane: string;
  /** The largest priority among its due attempts. */
  priority: number;
  /** One of its due requests, its shot's tags and how it repairs: what a server needs to serve the lane. */
  request: ImageRequest;
  tags: string[];
  repair?: Repair;
}

/** How far every shot is: what the run's budget is shared out by. One row per distinct (ended, attempts) pair. */
export interface BudgetCount {
  ended: boolean;
  /** Attempts that exist for these shots. */
  attempts: number;
  /** Shots before the one asked about (smaller index), and from it on. */
  before: number;
  after: number;
}

/** The truth. Every method is one transaction; repeating one is harmless and says so by `false`. */
export interface Ledger {
  /** Tells ledgers apart whose queues share a Redis. */
  readonly id: string;

  /**
   * Takes a role for this opening of the ledger; undefined while another holds it. In the embedded database nobody else
   * can be there. In a server's, a heartbeat from a thread of its own holds it; it is free again when its holder's
   * heartbeat has had no connection, or given no sign, for the lease time by the database's clock.
   */
  takeLease(name: string): Promise<Lease | undefined>;
  releaseLease(lease: Lease): Promise<void>;
  /** Those whose names begin so. */
  leases(prefix: string): Promise<LeaseRecord[]>;
  /** Hears of leases that another has taken since. Returns the function that stops listening. */
  onLost(listener: (lease: Lease) => void): () => void;
  /**
   * From now on, and until the signal aborts, calls wait while the database's server refuses for a while (restarted, out
   * of connections, read-only, full), but for those that may not be repeated: `createRun`, `retryShots`, `sweep`.
   */
  bePatient(until: AbortSignal): void;
  /**
   * The same ledger, its moves guarded by a lease: from `recordSending` to `failShot`, and `moveRun`, they change nothing
   * and answer false once another has taken it. Those of the ledger itself are a user's, and guarded by states alone.
   */
  under(lease: Lease): Ledger;

  /** Keeps events of a run, the newest 50,000 at least, and answers the sequence of the last one. */
  appendEvents(run: string, events: { code: string; data: Json }[]): Promise<number>;
  /** Up to `limit` events of a run after a sequence, in order. */
  events(run: string, after: number, limit: number): Promise<EventRecord[]>;

  /**
   * Records a run, its shots and attempt 1 of each in one transaction, streaming. The id is the first
   * free `name-N`; `taken` may rule ids out (a folder of that name exists).
   */
  createRun(
    run: NewRun,
    shots: AsyncIterable<NewShot>,
    taken: (id: string) => Promise<boolean>,
  ): Promise<Run>;
  run(id: string): Promise<Run | undefined>;
  /** Newest first. */
  runs(): Promise<Run[]>;
  /** Those that are not over, oldest first. */
  openRuns(): Promise<Run[]>;
  /** running <-> paused; running | paused -> completed. False where that is no legal move. */
  moveRun(id: string, to: 'running' | 'paused' | 'completed'): Promise<boolean>;
  /** Ends the run and every open shot as cancelled, drops their attempts, and says which servers may still be at work. */
  cancelRun(id: string): Promise<{ backend: string; remoteId: string }[]>;
  progress(id: string): Promise<RunProgress>;
  /** What a run has published, by shot, read in pages; paths are below its folder. */
  published(run: string): AsyncIterable<{ shot: number; path: string }[]>;
  /** How many images of a run are laid aside for a person to look at. */
  inReview(run: string): Promise<number>;
  /**
   * How many images each server made for the first 1,000 shots of a run, and how many seconds one took on average, from
   * the moment that it was asked for.
   */
  served(run: string): Promise<{ backend: string; images: number; seconds: number }[]>;
  /** What a run recorded of a file; undefined where it names no such file, or is of a version that kept none. */
  file(run: string, path: string): Promise<FileRecord | undefined>;
  /** All files of a run, by path, read in pages. */
  files(run: string): AsyncIterable<FileRecord>;
  /** How many shots are still open. */
  openShots(id: string): Promise<number>;

  /** Attempts in `state` by priority (larger first), then shot, then number; of one lane, if it is given. */
  dueAttempts(run: string, state: 'due' | 'generated', limit: number, lane?: string): Promise<DueAttempt[]>;
  /** The lanes that have due attempts, by name. */
  dueLanes(run: string): Promise<DueLane[]>;
  attempt(key: AttemptKey): Promise<Attempt | undefined>;
  shot(run: string, index: number): Promise<ShotRecord | undefined>;
  /** All shots with all attempts, by index from `first` (default 1) on, read in pages. */
  shots(run: string, first?: number): AsyncIterable<ShotRecord>;

  /** Before anything is sent: which server, which remote id. False where the attempt is no longer due. */
  recordSending(key: AttemptKey, backend: string, remoteId: string): Promise<boolean>;
  /**
   * The server could not; forgets `remoteId` unless `keepRemote`. Returns the attempt's server errors so far,
   * this one included only if it `counts`.
   */
  recordServerError(key: AttemptKey, message: string, keepRemote: boolean, counts?: boolean): Promise<number>;
  /** A repair that cannot be done: the attempt makes a new image instead. False where it is no due repair. */
  dropRepair(key: AttemptKey): Promise<boolean>;
  /** due -> generated. */
  recordCandidate(key: AttemptKey, candidate: Candidate): Promise<boolean>;
  /** generated -> due: the stored file is gone or unreadable. */
  recordLostCandidate(key: AttemptKey): Promise<boolean>;
  /** generated -> judged, and with it the step: the next attempt, or the shot's end. */
  recordVerdict(
    key: AttemptKey,
    verdict: Verdict,
    model: Json,
    step: Step,
    published?: string,
  ): Promise<boolean>;
  /**
   * judged -> due, for attempt `number` of an open shot: its candidate, which is to be kept, got lost. `last` is the
   * shot's last attempt, with its verdict where that is not recorded yet.
   */
  recordAgain(last: AttemptKey, number: number, judged?: { verdict: Verdict; model: Json }): Promise<boolean>;
  /** A shot whose step was `wait`: gives it its next attempt, or its end. `key` is its last attempt. */
  recordStep(key: AttemptKey, step: Step, published?: string): Promise<boolean>;
  /**
   * Opens a run that is over, and some of its shots, each with one more attempt; answers how many. 0, and nothing is
   * changed, where none is such, or the run is open.
   */
  retryShots(run: string, again: Again): Promise<number>;
  /** Ends a shot that can never succeed. */
  failShot(run: string, shot: number, reason: string): Promise<boolean>;

  /**
   * Makes a path below the run's folder this shot's own, before anything is written there. False where it is another
   * shot's; paths that differ in capital letters alone are the same. `wanted`: what the file would be called if no
   * other shot had that name.
   */
  claimPath(run: string, shot: number, path: string, wanted: string): Promise<boolean>;
  /** The paths of a run that are not called as was wanted. */
  renamedPaths(run: string): Promise<{ shot: number; wanted: string; path: string }[]>;

  /**
   * Last attempts of open shots that wait for the run's budget, up to `limit` from one end of the order in which it is
   * shared out: by number, then shot.
   */
  waitingShots(run: string, end: 'first' | 'last', limit: number): Promise<AttemptKey[]>;
  budgetCounts(run: string, shot: number): Promise<BudgetCount[]>;

  /**
   * Deletes the records of `runs`, where they are over, and rows that no run has; answers how many of each table. With
   * `isDry` it only counts.
   */
  sweep(what: { runs: string[]; isDry: boolean }): Promise<{ [table: string]: number }>;
  /** Gives the disk back what deleted rows and the log of the embedded database took. */
  compact(): Promise<void>;

  close(): Promise<void>;
}
