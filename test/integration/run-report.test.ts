import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, afterEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { loadPipeline } from '../../src/pipeline/index.js';
import { LocalService, newRun, openState, RunHere, type State } from '../../src/runtime/index.js';
import { startSketchServer, type SketchServer } from '../../sketch/index.js';
import { freshHome } from '../support/home.js';
import { writeTinyModel } from '../support/tiny-model.js';

let dir: string;
let server: SketchServer;
let state: State;
let here: RunHere;
let service: LocalService;

async function open() {
  state = await openState(join(dir, 'home'), {});
  here = new RunHere(state);
  service = new LocalService(state, here);
}

async function close() {
  await here.stop({ force: true });
  await state.close();
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reroll-run-report-'));
  server = await startSketchServer({ latencyMs: 1, badRate: 0.5 });
  // Judges by colour, and so rejects about half of all drawings, the same ones each time.
  await writeTinyModel(join(dir, 'model'), {
    weights: [
      [30, -30, 0, 0],
      [-60, 60, 0, 0],
      [30, -30, 0, 0],
    ],
  });
  await freshHome(join(dir, 'home'));
});
afterAll(async () => {
  await server.close();
  await rm(dir, { recursive: true, force: true });
});
beforeEach(open);
afterEach(close);

async function begun(output: object = {}): Promise<string> {
  const config = {
    name: 'seen',
    seed: 5,
    backends: [{ name: 'gpu', kind: 'a1111', url: server.url }],
    generate: { width: 64, height: 64, steps: 4 },
    prompts: [{ text: 'a hand', count: 8 }],
    gate: { model: './model', reject: [{ labels: ['*Bad_Anatomy'], threshold: 0.5 }] },
    retry: { attempts: 4, on_exhausted: 'discard' },
    output: { dir: 'out', ...output },
  };
  await writeFile(join(dir, 'seen.yaml'), stringify(config));
  const pipeline = await loadPipeline(join(dir, 'seen.yaml'), { env: {} });
  return (await here.take(newRun(state, pipeline), { env: {}, signal: new AbortController().signal })).id;
}

const figures = (html: string) => html.match(/<figure/g)?.length ?? 0;

it('no image is left out: by default the rejected ones are kept as thumbnails', async () => {
  const run = await begun();
  const summary = (await here.ended(run))!;
  expect(summary.attempts).toBeGreaterThan(summary.accepted);
  const report = await readFile(summary.report!, 'utf8');
  expect(figures(report)).toBe(summary.attempts);
  expect(report).not.toContain('no picture was kept');
  expect(await readdir(summary.outputDir)).not.toContain('rejected');
  expect(await service.status(run)).toMatchObject({ report: summary.report });
  // Asked for again it is the same: what it shows is all there.
  expect(await service.report(run)).toEqual({ run, file: summary.report, isOver: true });
  expect(await readFile(summary.report!, 'utf8')).toBe(report);
  const elsewhere = new LocalService({ ...state, store: 'another' }, here);
  await expect(elsewhere.report()).rejects.toThrow('lie on another machine');
});

it('where nothing of rejected images is kept, the report says so', async () => {
  const summary = (await here.ended(await begun({ keep_rejected: false })))!;
  const report = await readFile(summary.report!, 'utf8');
  expect(figures(report)).toBe(summary.accepted);
  expect(report).toContain(`Of ${summary.attempts - summary.accepted} judged attempts no picture was kept`);
});

it('half a night can be looked at, while the run goes on and when it was left', async () => {
  const halfway = new Promise<void>((resolve) => {
    const stop = state.events.listen(({ type }) => {
      if (type !== 'shot-ended') return;
      stop();
      resolve();
    });
  });
  const run = await begun();
  await halfway;
  const { file, isOver } = await service.report();
  expect(isOver).toBe(false);
  expect(await readFile(file, 'utf8')).toMatch(/when \d+ of 8 shots had ended\./);
  await close();
  await open();
  const { attempts, state: left } = await service.status(run);
  expect(left).toBe('interrupted');
  expect((await service.report(run)).isOver).toBe(false);
  expect(figures(await readFile(file, 'utf8'))).toBe(attempts);
  const { run: resumed } = await service.resume({ run, env: {} });
  await here.ended(resumed);
  expect(await readFile(file, 'utf8')).not.toContain('had ended');
});
