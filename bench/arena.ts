import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Classifier } from '../src/classifier/index.js';
import { loadPipeline } from '../src/pipeline/index.js';
import { openState, opening, newRun, RunHere, type RunSummary } from '../src/runtime/index.js';
import type { SketchOptions, SketchStats } from '../sketch/index.js';
import { checkScores } from '../src/base/scores.js';

/** Sketch servers in a process of their own. */
export interface SketchHost {
  urls: string[];
  stats(): Promise<SketchStats[]>;
  close(): void;
}

export async function hostSketchServers(options: Partial<SketchOptions>[]): Promise<SketchHost> {
  const child = fork(new URL('sketch-host.js', import.meta.url), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ask = async (message: unknown): Promise<unknown> => {
    child.send(message as object);
    const [answer] = (await once(child, 'message')) as [unknown];
    return answer;
  };
  const urls = (await ask(options)) as string[];
  return {
    urls,
    stats: async () => (await ask('stats')) as SketchStats[],
    close: () => child.kill(),
  };
}

/** What runs took, from the first job to the last, opening and closing left out. */
export interface Measured {
  /** Of the first run. */
  summary: RunSummary;
  seconds: number;
  /** Until the last shot ended: manifest and report are written after that, and need no server. */
  secondsToLastShot: number;
  cpuMs: number;
  peakRssMb: number;
  /** Up to the last verdict. */
  judged: { attempts: number; cpuMs: number };
}

export interface MeasureOptions {
  /** That one judges instead of the pipelines' model. */
  classifier?: Classifier;
  /** So many verdicts are enough: the runs are left then. */
  attempts?: number;
}

/** Runs pipelines at the same time, in a temporary folder. */
export async function runPipelines(
  pipelines: readonly object[],
  { classifier, attempts = Infinity }: MeasureOptions = {},
): Promise<Measured> {
  const dir = await mkdtemp(join(tmpdir(), 'reroll-bench-'));
  try {
    const loaded = await Promise.all(
      pipelines.map(async (pipeline, place) => {
        const file = join(dir, `pipeline-${place}.yaml`);
        await writeFile(file, stringify(pipeline));
        return loadPipeline(file, { env: {} });
      }),
    );
    return await opening(async (releasers) => {
      const state = await openState(join(dir, '.reroll'), {});
      releasers.add(() => state.close());
      const here = new RunHere(state, classifier && { openClassifier: async () => classifier });
      releasers.add(() => here.stop({ force: true }));
      let startedAt: number | undefined;
      let cpu = process.cpuUsage();
      const cpuMs = () => {
        const { user, system } = process.cpuUsage(cpu);
        return (user + system) / 1000;
      };
      const seconds = () => (performance.now() - (startedAt ?? 0)) / 1000;
      let secondsToLastShot = 0;
      const judged = { attempts: 0, cpuMs: 0 };
      releasers.add(
        state.events.listen(({ type }) => {
          if (type === 'shot-ended') secondsToLastShot = seconds();
          if (type !== 'judged' || judged.attempts === attempts) return;
          judged.attempts += 1;
          judged.cpuMs = cpuMs();
          if (judged.attempts === attempts) for (const { id } of here.runs) void here.leave(id);
        }),
      );
      const onTaken = () => {
        if (startedAt !== undefined) return;
        startedAt = performance.now();
        cpu = process.cpuUsage();
      };
      const never = new AbortController().signal;
      const summaries = await Promise.all(
        loaded.map(async (pipeline) => {
          const { id } = await here.take(newRun(state, pipeline), { env: {}, signal: never, onTaken });
          return here.ended(id);
        }),
      );
      const [summary] = summaries;
      if (!summary) throw new Error('a run that was taken on has an end');
      const measured = { seconds: seconds(), cpuMs: cpuMs() };
      await releasers.close();
      const peakRssMb = process.resourceUsage().maxRSS / 1024;
      return { summary, ...measured, secondsToLastShot, peakRssMb, judged };
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** A classifier that costs nothing: what remains is orchestration. It accepts a fixed share of candidates. */
export function freeClassifier(acceptEvery: number): Classifier {
  let calls = 0;
  const labels = ['Realistic_Bad_Anatomy', 'Realistic_Good_Anatomy'];
  return {
    model: { name: 'free', revision: 'none', dtype: 'none' },
    labels,
    classify: async () => {
      const bad = ++calls % acceptEvery === 0 ? 0 : 1;
      const scores = [bad, 1 - bad].map((score, index) => ({ label: labels[index] ?? '', score }));
      return checkScores(scores, { model: 'free', exclusive: true });
    },
    close: async () => undefined,
  };
}

/** Prints figures for people, and with --json one object for programs as the last line. */
export function printFigures(lines: string[], figures: object): void {
  console.log(lines.join('\n'));
  if (process.argv.includes('--json')) console.log(JSON.stringify(figures));
}
