import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { init, type InitFlags } from '../../src/cli/init.js';
import { loadPipeline } from '../../src/pipeline/index.js';
import { modelFolder } from '../../src/runtime/index.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reroll-init-'));
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

it.each<[string, InitFlags, string, object]>([
  ['p.yaml', {}, 'a1111', { width: 512, cfg_scale: 6 }],
  ['p.yaml', { a1111: true }, 'a1111', { width: 512 }],
  ['my comfy.yaml', { comfyui: true }, 'comfyui', { width: 512 }],
  ["nina's.yaml", { sdxl: true }, 'comfyui', { width: 832, cfg_scale: 6 }],
  ['日本.yaml', { sdxl: true, a1111: true }, 'a1111', { width: 832 }],
  ['p', { flux: true }, 'comfyui', { width: 832, cfg_scale: 1 }],
  ['p.yaml', { flux: true, a1111: true }, 'a1111', { cfg_scale: 1, sampler: 'Euler' }],
])('%s %j is a pipeline for %s', async (name, flags, kind, settings) => {
  const file = join(folder, name);
  await init(file, flags);
  const { backends, generate } = await loadPipeline(file, { env: {} });
  expect(backends).toMatchObject([{ kind }]);
  expect(generate).toMatchObject(settings);
  expect(generate.negative_prompt).toBe(flags.flux ? undefined : 'worst quality, low quality');
});

it.each([
  ['portraits.yaml', 'portraits'],
  ['2024.yaml', '2024'],
  ['_night shift é.yaml', 'night-shift-'],
  ['日本.yaml', 'run'],
])('the runs of %s are called %s', async (name, run) => {
  await init(join(folder, name), {});
  expect((await loadPipeline(join(folder, name), { env: {} })).name).toBe(run);
});

it.each([
  ['own.yaml', {}],
  ['own.yaml', { comfyui: true }],
  ['own.api.json', { comfyui: true }],
])('a %s that is there is not overwritten by %j, and nothing else is written', async (there, flags) => {
  await writeFile(join(folder, there), 'mine');
  const again = init(join(folder, 'own.yaml'), flags);
  await expect(again).rejects.toThrow(`${there} is there already: name another file, or use --force.`);
  expect(await readFile(join(folder, there), 'utf8')).toBe('mine');
  const other = there === 'own.yaml' ? 'own.api.json' : 'own.yaml';
  await expect(readFile(join(folder, other))).rejects.toThrow('ENOENT');
  await init(join(folder, 'own.yaml'), { ...flags, force: true });
  expect(await readFile(join(folder, there), 'utf8')).not.toBe('mine');
});

it('a folder that is not there is told', async () => {
  await expect(init(join(folder, 'nowhere/a.yaml'), {})).rejects.toThrow(
    /cannot write .*a\.yaml: there is no such file or folder/,
  );
});

it.each([
  ['yes', true],
  ['Y', true],
  ['no', false],
  ['', false],
])('a terminal is asked before a file is overwritten: %j', async (answer, isReplaced) => {
  const had = { stdin: process.stdin, isTTY: process.stderr.isTTY };
  const terminal = Object.assign(new PassThrough(), { isTTY: true });
  const told = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  Object.defineProperty(process, 'stdin', { value: terminal, configurable: true });
  process.stderr.isTTY = true;
  try {
    const file = join(folder, 'asked.yaml');
    await writeFile(file, 'mine');
    const asked = init(file, {}).catch(String);
    terminal.write(`${answer}\n`);
    expect(await asked).toEqual(isReplaced ? 0 : expect.stringContaining('is there already'));
    expect((await readFile(file, 'utf8')) === 'mine').toBe(!isReplaced);
    expect(told).toHaveBeenCalledWith(expect.stringContaining('Overwrite it?'));
  } finally {
    Object.defineProperty(process, 'stdin', { value: had.stdin, configurable: true });
    process.stderr.isTTY = had.isTTY;
  }
});

it('a copied demo.yaml finds its model, whatever folder is called as it is', async () => {
  await cp('config', folder, { recursive: true });
  await mkdir(join(folder, 'demo'));
  const { gate, dir } = await loadPipeline(join(folder, 'demo.yaml'), { env: {} });
  expect(await modelFolder(gate.models[0], dir, {})).toBe(resolve('models/demo'));
});
