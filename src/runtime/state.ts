import { readdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { sweepTemporary, writeAtomically } from '../base/atomic.js';
import { ConfigError } from '../errors.js';
import { openBlobs, type Blobs } from '../blobs/index.js';
import { openCandidates, type Candidates } from '../images/index.js';
import { openLedger, type Ledger } from '../ledger/index.js';
import { openQueues, type Queues } from '../queue/index.js';
import { RunEvents } from './events.js';
import { opening } from './releasers.js';

/** Where a process keeps its state: the ledger, the queues and the candidates, opened together. */
export interface State {
  /** The state folder, `.reroll`. */
  home: string;
  ledger: Ledger;
  queues: Queues;
  candidates: Candidates;
  /** The files that runs name. */
  blobs: Blobs;
  events: RunEvents;
  /** Several processes may have it open at a time: the ledger is a PostgreSQL server's. */
  isShared: boolean;
  /** Where candidates lie: runs of another place cannot be judged from here. */
  store: string;
  /** Says in the folder's lock where this process answers other ones. */
  setControl: (path: string) => Promise<void>;
  close(): Promise<void>;
}

/** Where several processes may write: what one of them has not touched for so long, it left when it was killed. */
export const othersMs = 600_000;

/** The state folder: REROLL_HOME, or `.reroll` beside the pipeline. */
export function homeOf(env: NodeJS.ProcessEnv, pipelineFile?: string): string {
  if (env.REROLL_HOME) return resolve(env.REROLL_HOME);
  return join(pipelineFile ? dirname(resolve(pipelineFile)) : process.cwd(), '.reroll');
}

/** ConfigError where nothing was ever run: to ask what is there must not make the folder. */
export async function needHome(home: string, env: NodeJS.ProcessEnv): Promise<void> {
  if (env.REROLL_DATABASE_URL || (await stat(home).catch(() => undefined))) return;
  throw new ConfigError(
    `there are no runs here: ${home} does not exist. Runs live in .reroll beside their pipeline: go there, or set REROLL_HOME.`,
  );
}

/** Opens the state folder, alone: a second process gets a LockedError. */
export function openState(home: string, env: NodeJS.ProcessEnv): Promise<State> {
  return opening(async (releasers) => {
    const databaseUrl = env.REROLL_DATABASE_URL;
    if (databaseUrl && !/^postgres(ql)?:\/\//.test(databaseUrl)) {
      throw new ConfigError('REROLL_DATABASE_URL must begin with postgres://');
    }
    const events = new RunEvents();
    const onWarning = (message: string) => events.emit({ type: 'warning', code: 'state', message });
    const { ledger, pool, trouble, lock, close } = await openLedger({
      home,
      ...(databaseUrl && { databaseUrl }),
      warn: onWarning,
    });
    releasers.add(close);
    await signUp(home, ledger.id);
    const redisUrl = env.REROLL_REDIS_URL;
    const place = redisUrl ? { redisUrl } : databaseUrl && trouble ? { databaseUrl, trouble } : { pool };
    const queues = await openQueues(place, onWarning);
    releasers.add(() => queues.close());
    for (const part of ['candidates', 'blobs', 'ledgers'])
      await sweepTemporary(join(home, part), databaseUrl ? othersMs : 0);
    const candidates = await openCandidates(join(home, 'candidates'));
    const setControl = (path: string) => lock?.setControl(path) ?? Promise.resolve();
    return {
      home,
      ledger,
      queues,
      candidates,
      blobs: openBlobs(join(home, 'blobs')),
      events,
      isShared: Boolean(databaseUrl),
      store: `${hostname()}:${home}`,
      setControl,
      close: () => releasers.close(),
    };
  });
}

/** Who uses the folder: blobs that one ledger does not name may be another's. */
const ledgersIn = (home: string): string => join(home, 'ledgers');

async function signUp(home: string, ledger: string): Promise<void> {
  const name = join(ledgersIn(home), ledger);
  if (!(await stat(name).catch(() => undefined))) await writeAtomically(name, '', { isPrivate: true });
}

/** Whether no other ledger uses the state folder. */
export async function isAlone({ home, ledger }: Pick<State, 'home' | 'ledger'>): Promise<boolean> {
  return (await readdir(ledgersIn(home))).every((id) => id === ledger.id);
}

/** Opens the state folder for one piece of work, and closes it again whatever comes of it. */
export function withState<T>(home: string, work: (state: State) => Promise<T>): Promise<T> {
  return opening(async (releasers) => {
    const state = await openState(home, process.env);
    releasers.add(() => state.close());
    const result = await work(state);
    await releasers.close();
    return result;
  });
}
