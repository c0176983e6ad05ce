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

/** What a run took, from its first job to its last, opening and closing left out. */
export interface Measured {
  summary: RunSummary;
  seconds: number;
  /** Until the last shot ended: manifest and report are written after that, and need no server. */
  secondsToLastShot: number;
  cpuMs: number;
  peakRssMb: number;
}

/** Runs a pipeline in a temporary folder. With `classifier`, that one judges instead of the pipeline's model. */
export async function runPipeline(pipeline: object, classifier?: Classifier): Promise<Measured> {
  const dir = await mkdtemp(join(tmpdir(), 'reroll-bench-'));
  try {
    const file = join(dir, 'pipeline.yaml');
    await writeFile(file, stringify(pipeline));
    const loaded = await loadPipeline(file, { env: {} });
    return await opening(async (releasers) => {
      const state = await openState(join(dir, '.reroll'), {});
      releasers.add(() => state.close());
      const here = new RunHere(state, classifier && { openClassifier: async () => classifier });
      releasers.add(() => here.stop({ force: true }));
      let startedAt = 0;
      let cpu = process.cpuUsage();
      const onTaken = () => {
        startedAt = performance.now();
        cpu = process.cpuUsage();
      };
      let secondsToLastShot = 0;
      releasers.add(
        state.events.listen(({ type }) => {
          if (type === 'shot-ended') secondsToLastShot = (performance.now() - startedAt) / 1000;
        }),
      );
      const never = new AbortController().signal;
      const run = await here.take(newRun(state, loaded), {
        env: {},
        signal: never,
        onTaken,
      });
      const summary = await here.ended(run.id);
      if (!summary) throw new Error('a run that was taken on has an end');
      const { user, system } = process.cpuUsage(cpu);
      const seconds = (performance.now() - startedAt) / 1000;
      await releasers.close();
      return {
        summary,
        seconds,
        secondsToLastShot,
        cpuMs: (user + system) / 1000,
        peakRssMb: process.resourceUsage().maxRSS / 1024,
      };
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
