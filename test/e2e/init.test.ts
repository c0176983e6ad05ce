import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startSketchServer, type SketchServer } from '../../sketch/index.js';
import { defaultModel } from '../../src/base/default-model.js';
import { writeManifest } from '../../src/base/model-manifest.js';
import { modelHome, revisionFolder, writeRef } from '../../src/models/cache.js';
import { writeTinyModel } from '../support/tiny-model.js';
import { makeWorkspace, type Workspace } from '../support/workspace.js';

let workspace: Workspace;
let server: SketchServer | undefined;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  workspace = await makeWorkspace({});
  env = { REROLL_CACHE: join(workspace.dir, 'cache') };
  // As `reroll model pull` leaves it.
  const revision = '1'.repeat(40);
  const folder = revisionFolder(defaultModel, revision, env);
  await writeTinyModel(folder);
  await writeManifest(folder, { source: defaultModel, revision, made: 'published', variants: {} });
  await writeRef(modelHome(defaultModel, env), 'main', revision);
});
afterEach(() => server?.close());
afterAll(() => workspace.remove());

it.each([
  ['a1111', 'a1111'],
  ['comfyui', 'comfyui'],
  ['sdxl', 'comfyui'],
  ['flux', 'comfyui'],
] as const)('what init --%s writes passes doctor', async (kind, protocol) => {
  const file = `${kind}.yaml`;
  expect(await workspace.reroll(['init', file, `--${kind}`])).toMatchObject({ code: 0 });
  server = await startSketchServer({ protocol });
  const path = join(workspace.dir, file);
  const address = protocol === 'a1111' ? 'http://127.0.0.1:7860' : 'http://127.0.0.1:8188';
  await writeFile(path, (await readFile(path, 'utf8')).replace(address, server.url));

  const { code, stdout } = await workspace.reroll(['doctor', file], env);
  expect(code, stdout).toBe(0);
  expect(stdout).toContain('sketch');
});

it('what init writes makes images', async () => {
  await workspace.reroll(['init', 'run.yaml', '--flux']);
  server = await startSketchServer({ protocol: 'comfyui' });
  const sets = [`backends.0.url=${server.url}`, 'gate.reject.0.threshold=1'];
  const args = ['run', 'run.yaml', '--json', ...sets.flatMap((set) => ['--set', set])];
  const { stdout, stderr } = await workspace.reroll(args, env);
  expect(stdout, stderr).toContain('"accepted":6');
});

it.each([
  ['--sdxl', '--flux'],
  ['--a1111', '--comfyui'],
])('%s and %s at once are refused', async (...flags) => {
  expect((await workspace.reroll(['init', 'two.yaml', ...flags])).stderr).toContain('cannot be used with');
});
