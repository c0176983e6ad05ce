import { basename, dirname, join } from 'node:path';
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compilePipeline, loadPipeline } from '../../src/pipeline/index.js';
import { folderWith, load, oneSketch, shotsOf } from '../support/pipeline-folder.js';

const hand = `${oneSketch}prompts: [{ text: a hand }]\n`;

describe('a pipeline file', () => {
  test('gets every default that it does not name, and leaves settings to the servers', async () => {
    const pipeline = await load({ 'p.yaml': hand });
    expect(pipeline).toMatchObject({
      name: 'p',
      backends: [{ name: 'a', kind: 'sketch', protocol: 'a1111', slots: 2, tags: [], latency: 300 }],
      gate: {
        models: ['angusleung100/bad-anatomy-realism-classifier'],
        combine: 'mean',
        rules: [{ kind: 'share', labels: ['*Bad_Anatomy'], threshold: 0.5 }],
      },
      retry: { attempts: 4, ladder: [{ kind: 'new_seed' }], on_exhausted: 'keep_best' },
      output: {
        dir: join(pipeline.dir, 'out'),
        filename: '{{prompt}}-{{shot}}-{{seed}}',
        keep_rejected: 'thumbnails',
      },
    });
    expect(pipeline.generate).toEqual({});
    expect(pipeline).not.toHaveProperty('seed');
  });

  test('reads durations with and without a unit as milliseconds', async () => {
    for (const [written, ms] of [
      ['250', 250],
      ['300ms', 300],
      ['2s', 2000],
      ['1.5m', 90_000],
    ] as const) {
      const pipeline = await load({
        'p.yaml': `backends: [{ name: a, kind: sketch, latency: ${written} }]\nprompts: [{ text: a }]`,
      });
      expect(pipeline.backends[0]).toMatchObject({ latency: ms });
    }
  });

  test('takes rungs as a word and as mappings', async () => {
    const pipeline = await load({
      'p.yaml': `${hand}retry: { ladder: [new_seed, { new_seed: true, times: 2 }, { adjust: { steps: "+5", cfg_scale: 6 } }, { repair: { with: adetailer } }] }`,
    });
    expect(pipeline.retry.ladder).toEqual([
      { kind: 'new_seed' },
      { kind: 'new_seed', new_seed: true, times: 2 },
      { kind: 'adjust', adjust: { steps: '+5', cfg_scale: 6 } },
      { kind: 'repair', repair: { with: 'adetailer' } },
    ]);
  });

  test('tells a model folder from a repository by its leading dot', async () => {
    const at = async (model: string) =>
      (await load({ 'p.yaml': `${hand}gate: { model: ${model} }` })).gate.models;
    expect(await at('owner/name')).toEqual(['owner/name']);
    expect(await at('./owner/name')).toEqual([expect.stringMatching(/^\/.*\/owner\/name$/)]);
    expect(await at('[owner/name, ./mine]')).toEqual(['owner/name', expect.stringMatching(/^\/.*\/mine$/)]);
  });
});

describe('extends', () => {
  test('merges mappings key by key, and of lists and values the later one counts', async () => {
    const pipeline = await load({
      'p.yaml': 'extends: [a.yaml, b.yaml]\nprompts: [{ text: mine }]\ngenerate: { steps: 3 }',
      'a.yaml': `${oneSketch}prompts: [{ text: a }, { text: b }]\ngenerate: { steps: 1, width: 64 }`,
      'b.yaml': 'extends: c.yaml\ngenerate: { steps: 2, cfg_scale: 1 }',
      'c.yaml': 'generate: { cfg_scale: 9, height: 128 }',
    });
    expect(pipeline.prompts).toEqual([{ text: 'mine' }]);
    expect(pipeline.generate).toMatchObject({ steps: 3, width: 64, height: 128, cfg_scale: 1 });
  });

  test('counts paths from the file that names them', async () => {
    const pipeline = await load({
      'p.yaml': 'extends: shared/base.yaml\nprompts: [{ file: list.txt }]',
      'list.txt': 'mine',
      'shared/base.yaml':
        'backends: [{ name: c, kind: comfyui, url: http://h, workflow: flow.json }]\nwildcards: ../cards\noutput: { dir: done }\ngate: { model: ./m }',
      'shared/flow.json': '{}',
      'cards/x.txt': 'x',
    });
    const { dir } = pipeline;
    expect(pipeline.backends[0]).toMatchObject({ workflow: join(dir, 'shared/flow.json') });
    expect(pipeline.prompts[0]).toEqual({ file: join(dir, 'list.txt') });
    expect(pipeline.wildcards).toBe(join(dir, 'cards'));
    expect(pipeline.output.dir).toBe(join(dir, 'shared/done'));
    expect(pipeline.gate.models).toEqual([join(dir, 'shared/m')]);
  });
});

describe('--set', () => {
  test('puts values in over the file, lists counted from 0', async () => {
    const pipeline = await load(
      { 'p.yaml': hand },
      {
        set: [
          'retry.attempts=9',
          'backends.0.slots=5',
          'prompts.1.text=a foot',
          'generate.sampler=DPM++ 2M',
          'seed=7',
        ],
      },
    );
    expect(pipeline).toMatchObject({
      seed: 7,
      retry: { attempts: 9 },
      backends: [{ slots: 5 }],
      prompts: [{ text: 'a hand' }, { text: 'a foot' }],
      generate: { sampler: 'DPM++ 2M' },
    });
  });

  test('counts paths from the working folder', async () => {
    const pipeline = await load({ 'p.yaml': hand }, { set: ['output.dir=pictures'] });
    expect(pipeline.output.dir).toBe(join(process.cwd(), 'pictures'));
  });
});

describe('environment variables', () => {
  const file = `${oneSketch}prompts: [{ text: "\${WHAT:-a hand} $\${WHAT}" }]\nseed: \${SEED}\noutput: { keep_rejected: "\${KEEP:-true}" }`;

  test('are put in, with defaults where they are not set or empty', async () => {
    const pipeline = await load({ 'p.yaml': file }, { env: { SEED: '12', WHAT: '' } });
    expect(pipeline).toMatchObject({
      seed: 12,
      prompts: [{ text: 'a hand $\\{WHAT\\}' }],
      output: { keep_rejected: true },
    });
  });

  test('stay out of the raw tree, which compiles to the same again', async () => {
    const env = { SEED: '12', WHAT: 'hunter2' };
    const pipeline = await load({ 'p.yaml': file }, { env });
    expect(JSON.stringify(pipeline.raw)).not.toContain('hunter2');
    expect(compilePipeline(pipeline.raw, { file: pipeline.file, env, isRecorded: true })).toEqual(pipeline);
  });
});

describe('passwords that stand in the file', () => {
  const written = [
    ['auth: "me:hunter$2"', { auth: 'me:hunter$2' }, 'REROLL_a_2db_AUTH'],
    ['auth: "Bearer hunter$${2}"', { auth: 'Bearer hunter${2}' }, 'REROLL_a_2db_AUTH'],
    ['url: "http://me:hunter2@host:1/path"', { url: 'http://me:hunter2@host:1/path' }, 'REROLL_a_2db_LOGIN'],
    ['url: "https://hunter2@host"', { url: 'https://hunter2@host' }, 'REROLL_a_2db_LOGIN'],
  ] as const;

  test.each(written)('%s is read, and not recorded', async (line, backend, name) => {
    const url = line.startsWith('url') ? '' : 'url: http://host, ';
    const text = `backends: [{ name: a-b, kind: a1111, ${url}${line} }]\nprompts: [{ text: a hand }]`;
    const pipeline = await load({ 'p.yaml': text });
    expect(pipeline.backends[0]).toMatchObject(backend);
    expect(JSON.stringify(pipeline.raw)).not.toContain('hunter');
    expect(pipeline.literals).toEqual({ [name]: expect.stringContaining('hunter') as string });
    const later = (env: NodeJS.ProcessEnv) =>
      compilePipeline(pipeline.raw, { file: pipeline.file, env, isRecorded: true });
    expect(later(pipeline.literals).backends).toEqual(pipeline.backends);
    expect(() => later({})).toThrow(`the environment variable ${name} is not set`);
  });

  test('stay variables where they are variables', async () => {
    const text =
      'backends: [{ name: a, kind: a1111, url: "http://${LOGIN}@host", auth: "me:${PW}" }]\nprompts: [{ text: a hand }]';
    const pipeline = await load({ 'p.yaml': text }, { env: { LOGIN: 'you', PW: 'hunter2' } });
    expect(pipeline.literals).toEqual({});
    expect(pipeline.raw).toMatchObject({ backends: [{ url: 'http://${LOGIN}@host', auth: 'me:${PW}' }] });
  });
});

test('a recorded pipeline compiles to the same, whatever files it was merged from', async () => {
  const pipeline = await load(
    {
      'p.yaml':
        'extends: shared/base.yaml\nprompts: [{ text: a hand, matrix: { steps: [1, 2], cfg_scale: [3] } }]',
      'shared/base.yaml': 'backends: [{ name: c, kind: comfyui, url: http://h, workflow: flow.json }]',
      'shared/flow.json': '{}',
    },
    { set: ['output.dir=x', 'retry.attempts=2'] },
  );
  const recorded: unknown = JSON.parse(JSON.stringify(pipeline.raw));
  expect(
    compilePipeline(recorded as typeof pipeline.raw, {
      set: pipeline.set,
      file: pipeline.file,
      env: {},
      isRecorded: true,
    }),
  ).toEqual(pipeline);
});

describe('the examples in config/', () => {
  // backends.yaml is for others to extend.
  const examples = readdirSync('config').filter((name) => name.endsWith('.yaml') && name !== 'backends.yaml');

  test.each(examples)('%s loads and expands', async (name) => {
    const pipeline = await loadPipeline(join('config', name), { env: {} });
    expect((await shotsOf(pipeline)).length).toBeGreaterThan(5);
    expect(basename(dirname(pipeline.file))).toBe('config');
  });

  test('the demo has 24 shots or more, on two servers, and always the same', async () => {
    const pipeline = await loadPipeline('config/demo.yaml', { env: {} });
    expect(pipeline.backends).toHaveLength(2);
    expect(pipeline.seed).toBeDefined();
    expect((await shotsOf(pipeline)).length).toBeGreaterThanOrEqual(24);
  });
});

test('a byte order mark and Windows line ends do no harm', async () => {
  const folder = folderWith({
    'p.yaml': `\ufeff${oneSketch.replace('\n', '\r\n')}prompts:\r\n  - file: p.txt\r\n`,
    'p.txt': '\ufeffone\r\n\r\ntwo\r\n',
  });
  const shots = await shotsOf(await loadPipeline(join(folder, 'p.yaml'), { env: {} }));
  expect(shots.map(({ request }) => request.prompt)).toEqual(['one', 'two']);
});
