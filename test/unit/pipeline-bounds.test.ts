import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { expandShots } from '../../src/pipeline/index.js';
import { complaint, folderWith, load, messageOf, oneSketch, shotsOf } from '../support/pipeline-folder.js';

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
const yaml = (text: string) => complaint({ 'p.yaml': text });
const rows = async (name: string, text: string | Buffer) =>
  messageOf(shotsOf(await load({ 'p.yaml': `${oneSketch}prompts: [{ file: ${name} }]`, [name]: text })));

describe('more shots than a run takes are counted, not made', () => {
  test('by a matrix', async () => {
    const list = JSON.stringify(numbers(40));
    const keys = ['steps', 'cfg_scale', 'seed', 'clip_skip', 'denoising_strength', 'checkpoint'];
    const values = keys.map((key) => {
      if (key === 'checkpoint') return `${key}: ${JSON.stringify(numbers(40).map(String))}`;
      if (key === 'clip_skip') return `${key}: ${JSON.stringify(numbers(40).map((n) => (n % 12) + 1))}`;
      return `${key}: ${key === 'denoising_strength' ? JSON.stringify(numbers(40).map((n) => n / 40)) : list}`;
    });
    expect(await yaml(`${oneSketch}prompts: [{ text: a, matrix: { ${values.join(', ')} } }]`)).toContain(
      'prompts.0.matrix: this asks for 4,096,000,000 images; a run takes at most 10,000,000.',
    );
  });

  test('by a matrix for each row of a table', async () => {
    const list = JSON.stringify(numbers(400));
    const pipeline = await load({
      'p.yaml': `${oneSketch}prompts: [{ file: p.csv, matrix: { steps: ${list}, seed: ${list} } }]`,
      'p.csv': 'text,count\na,1000000\n',
    });
    expect(await messageOf(shotsOf(pipeline))).toContain('p.csv:2: this asks for 160,000,000,000 images');
  });
});

describe('a pipeline file that is made to exhaust is refused in words', () => {
  const long = JSON.stringify(numbers(20_000));
  test.each([
    ['aliases of a long list', `a: &a ${long}\nb: [${'*a,'.repeat(95)}]`, 'aliases (*name) multiply here'],
    [
      'aliases of aliases',
      numbers(9)
        .map((n) => `a${n}: &a${n} [${n === 1 ? 'x' : `*a${n - 1},`.repeat(10)}]`)
        .join('\n'),
      'aliases (*name) multiply here',
    ],
    ['brackets', '['.repeat(1_000_000), 'nested too deeply'],
    ['braces', '{a: '.repeat(100_000), 'nested too deeply'],
    ['dashes', '- '.repeat(500_000), 'nested too deeply'],
    ['questions', '? '.repeat(500_000), 'nested too deeply'],
    ['closed brackets', `a: ${'['.repeat(5000)}${']'.repeat(5000)}`, 'nested too deeply'],
    [
      'indentation',
      numbers(400)
        .map((n) => `${' '.repeat(n)}a:`)
        .join('\n'),
      'nested too deeply',
    ],
    ['a million values', `a: [${'1,'.repeat(1_000_000)}]`, 'more values than are read'],
    ['an alias of nothing', 'a: *b', 'no anchor &b before'],
    ['an alias in itself', 'a: &b [*b]', 'contains itself'],
    ['a key twice', 'a: 1\nb: 2\na: 3', 'written twice'],
  ])('%s', async (_, text, message) => {
    expect(await yaml(text)).toContain(message);
  });

  test('while many keys and many uses of an anchor take as long as they are', async () => {
    const keys = numbers(60_000).map((n) => `k${n}: 1`);
    expect(await yaml(keys.join('\n'))).toContain("unknown key 'k1'");
    const uses = numbers(30_000).map(() => '  - *a');
    expect(await yaml(`a: &a 1\nb:\n${uses.join('\n')}`)).toContain("unknown key 'a'");
  }, 30_000);
});

describe('a prompt file that is made to exhaust is refused with its line', () => {
  test.each([
    [
      'p.jsonl',
      `{"text": ${'['.repeat(5000)}${']'.repeat(5000)}}`,
      'p.jsonl:1: the values are nested deeper than 50',
    ],
    [
      'p.jsonl',
      `{"text": "a", "a1111": {"x": ${'{"a":'.repeat(5000)}1${'}'.repeat(5001)}}`,
      'nested deeper than 50',
    ],
    [
      'p.jsonl',
      `{"text": "a", "styles": [${'"",'.repeat(200_000)}""]}`,
      'p.jsonl:1: a row holds at most 10000 values',
    ],
    ['p.jsonl', `{"text": "${'a'.repeat(900_000)}`, 'p.jsonl:1: not valid JSON'],
    ['p.jsonl', `{"text": "${'[{,'.repeat(100_000)}"}`, "at '"],
    ['p.csv', `text,a1111\nx,"${'['.repeat(5000)}"`, 'p.csv:2: the values are nested'],
    ['p.csv', `${numbers(100_000).join(',')}\n`, 'p.csv:1: 100000 columns'],
    ['p.csv', `text\n"${'a\n'.repeat(600_000)}`, 'is opened here and never closed'],
    ['p.csv', `text\n"${'""'.repeat(400_000)}" x`, 'p.csv:2'],
    ['p.txt', 'a'.repeat(3_000_000), 'p.txt:1: the line is longer'],
    ['p.txt', '{'.repeat(500_000), 'nested deeper than 50'],
    ['p.txt', '__a '.repeat(240_000), 'endless text'],
    ['p.txt', '<__ a'.repeat(190_000), 'endless text'],
    ['p.txt', '${'.repeat(400_000), 'variables'],
    ['p.txt', '{"a'.repeat(200_000), 'nested deeper than 50'],
    ['p.txt', `{~${'a'.repeat(900_000)}`, 'never closed'],
    ['p.txt', `a${' --x'.repeat(240_000)}`, 'endless text'],
  ])('%s %#', async (name, text, message) => {
    expect(await rows(name, text)).toContain(message);
  });

  test.runIf(process.platform !== 'win32')('a pipe, a device or a folder in its place is told', async () => {
    for (const place of ['p.txt', 'w/other.txt', 'p.yaml']) {
      const folder = folderWith({
        'p.yaml': `${oneSketch}prompts: [{ file: p.txt }]\nwildcards: w`,
        'p.txt': '__other__',
        'w/other.txt': 'x',
      });
      const { loadPipeline } = await import('../../src/pipeline/index.js');
      const expand = async () => shotsOf(await loadPipeline(join(folder, 'p.yaml'), { env: {} }));
      execFileSync('rm', [join(folder, place)]);
      execFileSync('mkfifo', [join(folder, place)]);
      expect(await messageOf(expand())).toContain('a pipe or a device');
      execFileSync('rm', [join(folder, place)]);
      symlinkSync('/dev/zero', join(folder, place));
      expect(await messageOf(expand())).toContain('a pipe or a device');
    }
  });
});

test('millions of shots leave the process its turns, and end when they are told to', async () => {
  const pipeline = await load({ 'p.yaml': `${oneSketch}prompts: [{ text: a, count: 1000000 }]` });
  const ending = new AbortController();
  const reason = new Error('Ctrl-C');
  let longest = 0;
  let before = performance.now();
  const watch = setInterval(() => {
    longest = Math.max(longest, performance.now() - before);
    before = performance.now();
  }, 5);
  setTimeout(300).then(
    () => ending.abort(reason),
    () => undefined,
  );
  const take = async () => {
    for await (const shot of expandShots(pipeline, 1, { signal: ending.signal })) shot.index.toFixed();
  };
  await expect(take()).rejects.toBe(reason);
  clearInterval(watch);
  expect(longest).toBeGreaterThan(0);
});

test('files that extend each other many times are counted', async () => {
  const extending = numbers(8).map((n): [string, string] => [
    `e${n}.yaml`,
    n === 8 ? 'seed: 1' : `extends: [${`e${n + 1}.yaml,`.repeat(10)}]`,
  ]);
  expect(await complaint({ 'p.yaml': 'extends: e1.yaml', ...Object.fromEntries(extending) })).toContain(
    'extends takes in more than 200 files',
  );
});
