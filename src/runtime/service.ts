import type { AttemptKey, Attempt, RunProgress, ShotRecord } from '../ledger/index.js';
import type { Json, RunState } from '../loop/index.js';
import type { BackendHealthState } from '../backends/index.js';
import type { RunEvent } from './events.js';
import type { RunSummary } from './finish.js';

/** Where a run stands. */
export interface RunStatus extends Omit<RunProgress, 'state'> {
  /** `interrupted`: not over, and no process works on it. */
  state: RunState | 'interrupted';
  name: string;
  /** The pipeline's file. */
  file: string;
  createdAt: string;
  finishedAt?: string;
  outputDir: string;
  /** Where there is one. */
  report?: string;
  /** Images in review/, for a person to look at. */
  review: number;
  /** Attempts for each accepted image, so far. */
  attemptsPerImage?: number;
  /** Only while a process works on it. */
  shotsPerMinute?: number;
  etaSeconds?: number;
}

/** What the newest run of a pipeline's file that has verdicts knows. */
export interface Past {
  run: string;
  /** Attempts that have a verdict, and those accepted. */
  attempts: number;
  accepted: number;
  /** Images that servers made, and how many seconds one took on average, beside others that the server held. */
  servers: { backend: string; images: number; seconds: number }[];
}

/** A run that is asked for. */
export interface Submission {
  /** The merged pipeline, before environment variables are put in. */
  pipeline: Json;
  /** Its keys that `--set` gave, and the file does not. */
  set?: string[];
  /** Absolute path of the pipeline's file: what it names is beside it. */
  file: string;
  /** The variables that it names: held in memory while the run is worked on, and never stored. */
  env: { [name: string]: string };
}

/** A run that is worked on, and the place in its events from which on they tell of that. */
export interface Taken {
  run: string;
  after: number;
}

/** What is asked for again of a run that is over. */
export interface RetryRequest {
  /** Left out: the newest that is over. */
  run?: string;
  /** Which shots, by how they ended; or those whose published image is not there any more. */
  which: 'failed' | 'exhausted' | 'failed or exhausted' | 'missing';
  /** First and last index of ranges; left out: all. */
  shots?: [number, number][];
  /** Attempts that each may use; left out: as the pipeline says. */
  attempts?: number;
  /** Changes of the recorded pipeline, as `key=value`; their paths are relative to `cwd`. */
  set: string[];
  cwd: string;
  env: { [name: string]: string };
}

/** A report that was asked for. */
export interface WrittenReport {
  run: string;
  /** Its first page. Absolute. */
  file: string;
  /** Whether the run is over: else it tells of how it stood just then. */
  isOver: boolean;
}

/** An event of a run. Those without a sequence are passing: they tell how far something is, and are not kept. */
export interface RunRecord {
  sequence?: number;
  /** ISO 8601. */
  at: string;
  event: RunEvent;
}

export interface ServerStatus {
  address: string;
  /** What runs call it. */
  names: string[];
  state: BackendHealthState;
  reason?: string;
  /** The checkpoint that it has loaded, where it says so. */
  checkpoint?: string;
  /** Whether this process sends to it. */
  isServed: boolean;
}

/**
 * What can be asked and told from outside: the one thing behind command line and control socket. Throws ConfigError
 * where there is no such run, or it is no state to do so in.
 */
export interface Service {
  /** Records a run and works on it. */
  submit(submission: Submission): Promise<Taken>;
  /** Goes on with a run that nobody works on, the newest if none is named; watches one that is worked on here. */
  resume(request: { run?: string; env: { [name: string]: string } }): Promise<Taken>;
  /** Opens a run that is over, and works on shots that failed, are exhausted, or whose image is gone. */
  retry(request: RetryRequest): Promise<Taken>;
  /** Newest first. */
  runs(): Promise<RunStatus[]>;
  /** The run, or the newest one. */
  status(run?: string): Promise<RunStatus>;
  /** Of the runs of a pipeline's file; its path is absolute. */
  past(file: string): Promise<Past | undefined>;
  /** How many published images of a run are gone, and the files of the first ones. */
  missing(run: string): Promise<{ images: number; files: string[] }>;
  /** Writes the report of a run as it stands now; of the newest if none is named. */
  report(run?: string): Promise<WrittenReport>;
  /** How a run stood when it ended, or was left; waits while it is worked on here. */
  summary(run: string): Promise<RunSummary>;
  /** Without a name: the one that is running. */
  pause(run?: string): Promise<RunStatus>;
  unpause(run?: string): Promise<RunStatus>;
  cancel(run?: string): Promise<RunStatus>;
  /** Up to `limit` shots, with all their attempts, from index `from` on. */
  shots(run: string, page: { from: number; limit: number }): Promise<ShotRecord[]>;
  attempt(key: AttemptKey): Promise<Attempt | undefined>;
  servers(): Promise<ServerStatus[]>;
  /** The kept events after a sequence number, up to `limit`. */
  history(run: string, page: { after: number; limit: number }): Promise<RunRecord[]>;
  /** All events after a sequence number, and then as they come, until nobody works on the run any more. */
  events(run: string, after: number): AsyncIterable<RunRecord>;
}
