import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLedger, type OpenLedger, type ShotRecord } from '../../src/ledger/index.js';
import type { BudgetCount, Ledger, NewRun, RunProgress } from '../../src/ledger/index.js';
import type { ImageRequest, Shot, Verdict } from '../../src/loop/index.js';

export interface TestLedger extends OpenLedger {
  home: string;
  remove(): Promise<void>;
}

export async function openTestLedger(databaseUrl?: string): Promise<TestLedger> {
  const home = await mkdtemp(join(tmpdir(), 'reroll-ledger-'));
  const opened = await openLedger({ home, ...(databaseUrl !== undefined && { databaseUrl }) });
  const remove = async () => {
    await opened.close();
    await rm(home, { recursive: true });
  };
  return { ...opened, home, remove };
}

export const aRequest = (change: Partial<ImageRequest> = {}): ImageRequest => ({
  prompt: 'a hand',
  negative_prompt: '',
  seed: 1,
  width: 512,
  height: 512,
  steps: 20,
  cfg_scale: 6.5,
  ...change,
});

export const aRun = (name: string): NewRun => ({
  name,
  pipelineFile: '/pipelines/hands.yaml',
  pipeline: { name },
  set: [],
  seed: 4_294_967_295,
  outputDir: '/out',
  store: 'here',
  hasBudget: true,
  files: [],
});

/** `count` shots, or one for each given change. */
export async function* someShots(shots: number | Partial<Shot>[]): AsyncGenerator<Shot> {
  const changes = typeof shots === 'number' ? Array.from({ length: shots }, () => ({})) : shots;
  for (const [place, change] of changes.entries())
    yield { index: place + 1, prompt: 'p1', request: aRequest(), priority: 0, tags: [], ...change };
}

export const aCandidate = {
  file: 'run/1-1.png',
  sha256: 'ab',
  width: 512,
  height: 512,
  format: 'png',
  seed: 4_294_967_295,
  sent: { prompt: 'a hand', cfg_scale: 0.1 + 0.2, nested: [1, null, { deep: true }] },
  server: { product: 'sketch' },
  seconds: 0.25,
};

export const aVerdict = (decision: Verdict['decision']): Verdict => ({
  decision,
  rejected: decision === 'accept' ? 0.1 : 0.9,
  scores: [{ label: 'Realistic_Bad_Anatomy', score: 0.123456789012345 }],
});

export const aModel = { name: 'demo', revision: 'abc', dtype: 'q8' };

export async function allShots(ledger: Ledger, run: string): Promise<ShotRecord[]> {
  const shots = [];
  for await (const shot of ledger.shots(run)) shots.push(shot);
  return shots;
}

/** What `progress` must say, counted shot by shot. */
export function countedProgress(shots: ShotRecord[]): Omit<RunProgress, 'run' | 'state'> {
  const attempts = shots.flatMap((shot) => shot.attempts);
  const ended = (outcome: string) => shots.filter((shot) => shot.outcome === outcome).length;
  const inState = (state: string) => attempts.filter((attempt) => attempt.state === state);
  return {
    shots: shots.length,
    accepted: ended('accepted'),
    exhausted: ended('exhausted'),
    failed: ended('failed'),
    cancelled: ended('cancelled'),
    attempts: inState('judged').length,
    rejected: inState('judged').filter(({ verdict }) => verdict?.decision !== 'accept').length,
    due: inState('due').length,
    generated: inState('generated').length,
    serverErrors: attempts.reduce((sum, { serverErrors }) => sum + serverErrors, 0),
  };
}

/** What `budgetCounts` must say, counted shot by shot. */
export function countedStandings(shots: ShotRecord[], asked: number): BudgetCount[] {
  const counts = new Map<string, BudgetCount>();
  for (const { index, outcome, attempts } of shots) {
    const standing = { ended: outcome !== undefined, attempts: attempts.length, before: 0, after: 0 };
    const key = `${Number(standing.ended)} ${standing.attempts}`;
    const count = counts.get(key) ?? standing;
    count[index < asked ? 'before' : 'after']++;
    counts.set(key, count);
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => count);
}
