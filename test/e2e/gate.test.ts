import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testPicture } from '../support/pictures.js';
import { writeTinyModel } from '../support/tiny-model.js';
import { makeWorkspace, tinyModel, type Workspace } from '../support/workspace.js';

const shots = 6;
let workspace: Workspace;
beforeEach(async () => {
  workspace = await makeWorkspace({
    name: 'gate',
    seed: 3,
    backends: [{ name: 's', kind: 'sketch', latency: '5ms', bad_rate: 1 }],
    generate: { width: 64, height: 64, steps: 4 },
    prompts: [{ text: 'a hand', count: shots }],
    gate: { model: tinyModel, reject: [{ labels: ['*Bad_Anatomy'], threshold: 0.6 }] },
    retry: { attempts: 2 },
    output: { dir: 'out' },
  });
  await testPicture(64, 64).png().toFile(join(workspace.dir, 'one.png'));
});
afterEach(() => workspace.remove());

const model = () => join(workspace.dir, 'model');
const published = async () =>
  (await readdir(join(workspace.dir, 'out'), { recursive: true }).catch(() => [])).filter((name) =>
    name.endsWith('.png'),
  );

test('a model whose scores are NaN is refused when it is opened, by its name', async () => {
  await writeTinyModel(model(), { weights: [0, 1, 2].map(() => [NaN, 0, 0, 0]) });
  for (const command of [
    ['doctor', 'pipeline.yaml'],
    ['run', 'pipeline.yaml'],
    ['classify', '--gate', 'pipeline.yaml', 'one.png'],
  ]) {
    const { code, stdout, stderr } = await workspace.reroll(command);
    expect(code, stdout).not.toBe(0);
    expect(stdout + stderr).toMatch(/the model model cannot judge: it answers NaN/);
  }
  expect(await published()).toEqual([]);
});

test('scores that stop being numbers stop the judge, accept nothing, and the run goes on with a sound model', async () => {
  // Pictures that are red, or more red than green, or the other way round, overflow. Black and grey, with
  // which a model is tried when it is opened, do not.
  const overflowing = [
    [500, 500, -500, 0],
    [0, -500, 500, 0],
    [0, 0, 0, 500],
  ];
  await writeTinyModel(model(), { weights: overflowing, overflows: true });
  const stopped = await workspace.reroll(['run', 'pipeline.yaml', '--json']);
  expect(stopped.code, stopped.stderr).toBe(2);
  expect(stopped.stderr).toMatch(/the model model cannot judge: it answers Infinity/);
  expect(stopped.stderr).not.toMatch(/bug/);
  expect(await published()).toEqual([]);

  await writeTinyModel(model(), { weights: overflowing.map((labels) => labels.map(() => 0)) });
  const resumed = await workspace.reroll(['resume', 'gate-1', '--json']);
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(JSON.parse(resumed.stdout)).toMatchObject({ state: 'completed', accepted: shots });
  expect(await published()).toHaveLength(shots);
});
