import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { link, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tinyVit, writeRandomVit } from '../../scripts/parity/random-vit.js';
import { testPicture } from '../support/pictures.js';
import { writeTinyModel } from '../support/tiny-model.js';

interface Row {
  file: string;
  scores: { label: string; score: number }[];
  verdict?: { decision: string };
}

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reroll-classify-'));
  await mkdir(join(folder, 'pictures'));
  await testPicture(64, 64).png().toFile(join(folder, 'one.png'));
  await writeTinyModel(join(folder, 'model'));
  // The weights' signs turned round: where the one is sure, the other is sure of the contrary.
  const contrary = [0, 1, 2].map((channel) => [0, 1, 2, 3].map((label) => (label === channel ? -4 : 4)));
  await writeTinyModel(join(folder, 'contrary'), { weights: contrary });
  await writeTinyModel(join(folder, 'cats'), { labels: ['cat', 'dog', 'bird', 'fish'] });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function start(...args: string[]) {
  const child = spawn(process.execPath, [resolve('dist/src/cli/main.js'), ...args], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return { child, closed: once(child, 'close').then(([code]) => ({ code: code as number, stderr })) };
}

async function reroll(...args: string[]) {
  const { child, closed } = start(...args);
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  return { ...(await closed), stdout };
}

async function judge(gate: object, ...more: string[]) {
  const pipeline = {
    backends: [{ name: 'a', kind: 'sketch' }],
    prompts: [{ text: 'a hand' }],
    gate,
  };
  await writeFile(join(folder, 'pipeline.yaml'), stringify(pipeline));
  return reroll('classify', '--gate', 'pipeline.yaml', '--json', ...more, 'one.png');
}

describe('reroll classify', () => {
  it('judges by several models together', async () => {
    const rowOf = async (gate: object) => JSON.parse((await judge(gate)).stdout) as Row;
    const one = await rowOf({ model: './model' });
    const other = await rowOf({ model: './contrary' });
    const mean = await rowOf({ model: ['./model', './contrary'] });
    const max = await rowOf({ model: ['./model', './contrary'], combine: 'max' });
    const score = ({ scores }: Row, wanted: string) => scores.find(({ label }) => label === wanted)!.score;
    expect(mean.scores).toHaveLength(4);
    for (const { label } of mean.scores) {
      const [a, b] = [score(one, label), score(other, label)];
      expect(score(mean, label)).toBeCloseTo((a + b) / 2, 9);
      expect(score(max, label)).toBe(Math.max(a, b));
    }
    expect(mean.verdict?.decision).toMatch(/accept|reject/);
  });

  it('refuses models that do not know the same labels, and rules that no label can fire', async () => {
    const mixed = await judge({ model: ['./model', './cats'] });
    expect(mixed).toMatchObject({ code: 2, stdout: '' });
    expect(mixed.stderr).toContain('must know the same labels');
    const idle = await judge({ model: './cats' });
    expect(idle).toMatchObject({ code: 2, stdout: '' });
    expect(idle.stderr).toContain('no label of');
  });

  it('takes the variant, the device and the threads that it is told', async () => {
    const told = ['--dtype', 'fp32', '--device', 'cpu', '--threads', '1'];
    expect(await judge({ model: './model' }, ...told)).toMatchObject({ code: 0 });
    const missing = await judge({ model: './model' }, '--dtype', 'q8');
    expect(missing).toMatchObject({ code: 2 });
    expect(missing.stderr).toContain('model_quantized.onnx');
    expect(await judge({ model: './model' }, '--device', 'tpu')).toMatchObject({ code: 2 });
  });

  it('goes on past files that are missing or unreadable, and takes a folder by name', async () => {
    await mkdir(join(folder, 'few', 'm'), { recursive: true });
    await mkdir(join(folder, 'none'));
    for (const name of ['z.png', 'b.png', 'm/c.png', 'a.png']) {
      await link(join(folder, 'one.png'), join(folder, 'few', name));
    }
    await writeFile(join(folder, 'cut.png'), 'no picture');
    const classify = (...files: string[]) => reroll('classify', '--model', './model', '--json', ...files);
    const some = await classify('nope.png', 'few', 'none', 'cut.png');
    expect(some.code).toBe(1);
    const rows = some.stdout.trim().split('\n');
    expect(rows.map((row) => (JSON.parse(row) as Row).file)).toEqual(
      ['a.png', 'b.png', 'm/c.png', 'z.png'].map((name) => join('few', name)),
    );
    expect(some.stderr).toContain('there is no file or folder nope.png.');
    expect(some.stderr).toContain('no images in none.');
    expect(some.stderr).toContain('cut.png: ');
    expect(await classify('none')).toMatchObject({ code: 2, stdout: '' });
  });

  it.skipIf(process.platform !== 'linux')('keeps its memory flat over 5,000 images', async () => {
    for (let index = 0; index < 5000; index++) {
      await link(join(folder, 'one.png'), join(folder, 'pictures', `${index}.png`));
    }
    const { child, closed } = start('classify', '--model', './model', '--json', 'pictures');
    const files = new Set<string>();
    const megabytes: number[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      const { file, scores } = JSON.parse(line) as Row;
      expect(scores).toHaveLength(4);
      files.add(file);
      // Before the very end: what ends has no memory to look at.
      if (files.size === 1000 || files.size === 4500) megabytes.push(await residentMb(child.pid));
    }
    const { code, stderr } = await closed;
    expect(code, stderr).toBe(0);
    expect(files.size).toBe(5000);
    const [early = 0, late = Infinity] = megabytes;
    expect(late - early, `${early} MB, then ${late} MB`).toBeLessThan(32);
  });
});

describe('reroll model', () => {
  it('makes the variants that it is told, and says how fast each is here', async () => {
    await writeRandomVit(join(folder, 'checkpoint'), tinyVit);
    const made = await reroll('model', 'convert', 'checkpoint', 'made', '--variants', 'fp16,q8', '--json');
    expect(made.code, made.stderr).toBe(0);
    const info = await reroll('model', 'info', 'made', '--json');
    expect(info.code, info.stderr).toBe(0);
    const { variants } = JSON.parse(info.stdout) as {
      variants: { dtype: string; imagesPerSecond: number }[];
    };
    expect(variants.map(({ dtype }) => dtype).sort()).toEqual(['fp16', 'q8']);
    for (const { imagesPerSecond } of variants) expect(imagesPerSecond).toBeGreaterThan(0);
    expect((await reroll('model', 'info', 'made')).stdout).toMatch(/q8 .* images\/s here/);
    const wrong = await reroll('model', 'convert', 'checkpoint', 'made', '--variants', 'q2');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('each is one of fp32, fp16, q8');
  });
});

async function residentMb(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}
