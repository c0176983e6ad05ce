import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadPipeline } from '../../src/pipeline/index.js';
import { complaint, folderWith, load, messageOf, oneSketch, shotsOf } from '../support/pipeline-folder.js';

const hand = `${oneSketch}prompts: [{ text: a hand }]\n`;

/** What a pipeline of these lines is told. */
const told = (yaml: string, files: Record<string, string> = {}) => complaint({ 'p.yaml': yaml, ...files });

test('an unknown key is shown with file, line, column, the lines around it and the nearest key', async () => {
  expect(await told(`${hand}generate:\n  width: 512\n  stpes: 25\n  height: 512\n`)).toBe(
    [
      "p.yaml:5:3: unknown key 'stpes' in generate. Did you mean 'steps'?",
      '  3 | generate:',
      '  4 |   width: 512',
      '  5 |   stpes: 25',
      '    |   ^^^^^',
      '  6 |   height: 512',
    ].join('\n'),
  );
});

test('all problems come in one error, in the order of the lines', async () => {
  const message = await told('name: a b\nseed: x\nbackends: []\nprompts: []\nretry: { attempts: 0 }');
  expect(message.split('\n')[0]).toBe('5 problems');
  expect(message.match(/^p.yaml:\d+/gm)).toEqual([
    'p.yaml:1',
    'p.yaml:2',
    'p.yaml:3',
    'p.yaml:4',
    'p.yaml:5',
  ]);
});

test('a problem in an extended file is shown there', async () => {
  expect(await told(`extends: b.yaml\n${hand}`, { 'b.yaml': '\ngenerate: { steps: no }' })).toContain(
    "b.yaml:2:20: generate.steps is the text 'no'; it takes a number.",
  );
});

test('a problem in --set quotes it', async () => {
  const message = await complaint({ 'p.yaml': hand }, { set: ['retry.attempts=x'] });
  expect(message).toBe("--set retry.attempts=x: retry.attempts is the text 'x'; it takes a number.");
});

describe('each mistake is told what is wrong and what to do', () => {
  const at = (line: string) => `${hand}${line}\n`;
  const backends = (list: string) => `prompts: [{ text: a }]\nbackends: [${list}]`;
  const prompts = (list: string) => `${oneSketch}prompts: [${list}]`;

  test.each([
    ['unknown top key', at('promts: []'), "unknown key 'promts'. Did you mean 'prompts'?"],
    ['key of another program', at('generate: { sampler_name: x }'), "Did you mean 'sampler'?"],
    ['key with a dash', at('generate: { negative-prompt: x }'), "Did you mean 'negative_prompt'?"],
    ['prompt in place of text', prompts('{ prompt: a }'), "A prompt's words stand in 'text'."],
    ['wrong type', at('generate: { steps: "20" }'), "generate.steps is the text '20'; it takes a number."],
    ['fraction', at('generate: { steps: 2.5 }'), 'it takes a whole number'],
    ['size not by 8', at('generate: { width: 500 }'), 'it takes a multiple of 8: 496 or 504.'],
    ['size out of bounds', at('generate: { width: 5000 }'), 'it takes 4096 or less.'],
    ['empty value', at('generate: { steps: }'), 'generate.steps is empty; give it a number'],
    ['not a number', at('generate: { cfg_scale: .nan }'), "'NaN' is no number"],
    ['a choice without quotes', prompts('{ text: {soft|hard} }'), 'needs quotes around it'],
    ['no prompts', `${oneSketch}prompts: []`, 'prompts is empty; it needs at least one. Add one.'],
    ['prompts missing', oneSketch, 'prompts is missing. Add it.'],
    ['text and file', prompts('{ text: a, file: b.txt }'), 'a prompt has either a text or a file.'],
    ['count of 0', prompts('{ text: a, count: 0 }'), 'it takes 1 or more.'],
    [
      'matrix without list',
      prompts('{ text: a, matrix: { steps: 5 } }'),
      'prompts.0.matrix.steps is 5; it takes a list.',
    ],
    [
      'matrix value',
      prompts('{ text: a, matrix: { steps: [5, x] } }'),
      "prompts.0.matrix.steps.1 is the text 'x'",
    ],
    ['no such prompt file', prompts('{ file: nix.txt }'), 'prompts.0.file: there is no file nix.txt.'],
    ['prompt file of another kind', prompts('{ file: p.yaml }'), 'a prompt file ends in .txt, .csv, .jsonl'],
    ['open brace', prompts('{ text: "a {b|c" }'), "this '{' is never closed."],
    ['closing brace', prompts('{ text: "a }" }'), "this '}' closes nothing."],
    ['weights of 0', prompts('{ text: "{0::a|0::b}" }'), 'all weights are 0'],
    ['tags of no backend', prompts('{ text: a, tags: [sdxl] }'), 'no backend has the tags sdxl'],
    ['unknown kind', backends('{ name: a, kind: comfy }'), "Did you mean 'comfyui'?"],
    ['no kind', backends('{ name: a }'), 'backends.0.kind is missing. Known: a1111, comfyui, sketch.'],
    [
      'no scheme',
      backends('{ name: a, kind: a1111, url: "127.0.0.1:7860" }'),
      'begins with http:// or https://',
    ],
    [
      'URL that goes on',
      backends('{ name: a, kind: a1111, url: "http://h/?x=1" }'),
      'backends.0.url: leave out everything from the ? on.',
    ],
    [
      'no workflow',
      backends('{ name: a, kind: comfyui, url: "http://h" }'),
      'backends.0.workflow is missing.',
    ],
    [
      'no such workflow',
      backends('{ name: a, kind: comfyui, url: "http://h", workflow: nix.json }'),
      'there is no file nix.json',
    ],
    [
      'two of one name',
      backends('{ name: a, kind: sketch }, { name: a, kind: sketch }'),
      "two backends are called 'a'.",
    ],
    ['slots of 0', backends('{ name: a, kind: sketch, slots: 0 }'), 'it takes 1 or more.'],
    ['duration', backends('{ name: a, kind: sketch, latency: 3 days }'), 'write a duration like 300ms'],
    [
      'rule of nothing',
      at('gate: { reject: [{ labels: [a] }] }'),
      "a rule needs 'threshold', or 'when: top'.",
    ],
    [
      'review above threshold',
      at('gate: { reject: [{ labels: [a], threshold: 0.4, review: 0.5 }] }'),
      "must be smaller than 'threshold'",
    ],
    ['unknown rung word', at('retry: { ladder: [newseed] }'), "Did you mean 'new_seed'?"],
    ['unknown rung', at('retry: { ladder: [{ reroll: true }] }'), "unknown key 'reroll' in retry.ladder.0."],
    ['rung of two kinds', at('retry: { ladder: [{ new_seed: true, adjust: {} }] }'), 'a rung is one of'],
    [
      'bad change',
      at('retry: { ladder: [{ adjust: { steps: "5+" } }] }'),
      'a change of a number is written "+1"',
    ],
    [
      'change of a seed',
      at('retry: { ladder: [{ adjust: { seed: "+1" } }] }'),
      "retry.ladder.0.adjust.seed is the text '+1'",
    ],
    [
      'change without quotes',
      at('retry: { ladder: [{ adjust: { cfg_scale: +1 } }] }'),
      'retry.ladder.0.adjust.cfg_scale is +1, which YAML reads as 1. Write "+1", with the quotes, to add, 1 to set.',
    ],
    [
      'field that makes several images',
      at('generate: { a1111: { batch_size: 4 } }'),
      "one request makes one image. Say how many images with 'count'",
    ],
    [
      'field that makes several images, in a prompt',
      `${oneSketch}prompts: [{ text: a, a1111: { n_iter: 2 } }]`,
      "one request makes one image. Say how many images with 'count'",
    ],
    [
      'script that makes several images',
      at('generate: { a1111: { script_name: X/Y/Z plot, script_args: [] } }'),
      "this script makes several images of one request. Write a 'matrix'",
    ],
    [
      'change of what nothing sets',
      at('retry: { ladder: [{ adjust: { clip_skip: "+1" } }] }'),
      'retry.ladder.0.adjust.clip_skip changes a number that nothing sets. Set clip_skip in generate',
    ],
    ['unknown change', at('retry: { ladder: [{ adjust: { cfg: 1 } }] }'), "Did you mean 'cfg_scale'?"],
    [
      'unknown repair',
      at('retry: { ladder: [{ repair: { with: adetaler } }] }'),
      "Did you mean 'adetailer'?",
    ],
    [
      'filename climbs out',
      at('output: { filename: "../{{shot}}" }'),
      "the name leads out of the run's folder.",
    ],
    [
      'absolute filename',
      at('output: { filename: "/tmp/{{shot}}" }'),
      "the name leads out of the run's folder.",
    ],
    ['filename without shot', at('output: { filename: "{{seed}}" }'), '{{shot}} is missing'],
    ['unknown field', at('output: { filename: "{{shot}}-{{sead}}" }'), 'there is no {{sead}}'],
    ['no wildcards folder', at('wildcards: nix'), 'wildcards: there is no folder nix.'],
    ['file as wildcards folder', at('wildcards: p.yaml'), 'is a file, and a folder is needed'],
    ['same key twice', `name: a\nname: b\n${hand}`, 'this key is written twice'],
    ['tab', `generate:\n\tsteps: 3\n${hand}`, 'a tab indents this line.'],
    ['two documents', `${hand}---\nname: b`, 'A pipeline file holds one.'],
    ['no mapping', '- a', 'a pipeline is a mapping'],
    ['nothing at all', '', 'a pipeline is a mapping'],
    ['dangerous key', `${hand}__proto__: {}`, 'a key must be a plain word.'],
    ['extends a number', `${hand}extends: 3`, 'extends takes the path of a YAML file'],
    ['extends nothing', `${hand}extends: nix.yaml`, 'nix.yaml: there is no such file.'],
  ])('%s', async (_, yaml, message) => {
    const shown = await told(yaml);
    expect(shown).toContain(message);
    expect(shown).toMatch(/^(\d+ problems|p\.yaml:\d+:\d+: )/);
  });
});

test.each([
  ['generate', `${hand}generate: { denoising_strength: 0.5 }`, {}],
  ['a prompt', `${oneSketch}prompts: [{ text: a, denoising_strength: 0.5 }]`, {}],
  ['a matrix', `${oneSketch}prompts: [{ text: a, matrix: { denoising_strength: [0.5] } }]`, {}],
  ['a table, perhaps', `${oneSketch}prompts: [{ file: a.csv }]`, { 'a.csv': '' }],
])('a change of a number that %s sets is none of nothing', async (_, yaml, files) => {
  const ladder = 'retry: { ladder: [{ adjust: { denoising_strength: "-0.1" } }] }';
  await load({ 'p.yaml': `${yaml}\n${ladder}`, ...files });
});

test('a mask without an image to paint on is an error', async () => {
  const pipeline = await load({ 'p.yaml': `${oneSketch}prompts: [{ text: a, mask: m.png }]`, 'm.png': '' });
  expect(await messageOf(shotsOf(pipeline))).toContain("prompts.0: a mask needs an 'init_image'");
});

test('a circle of extended files is named', async () => {
  expect(await told('extends: b.yaml', { 'b.yaml': 'extends: p.yaml' })).toContain(
    'extends goes in a circle: p.yaml -> b.yaml -> p.yaml.',
  );
});

describe('hostile YAML', () => {
  test('aliases that multiply are refused', async () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]'];
    for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi']) {
      bomb.push(`${to}: &${to} [${Array(10).fill(`*${from}`).join(',')}]`);
    }
    expect(await told(bomb.join('\n'))).toContain('aliases (*name) multiply');
  });

  test('an alias of itself is refused', async () => {
    expect(await told('a: &a [*a]')).toContain('the alias *a contains itself.');
  });

  test('endless nesting is refused', async () => {
    expect(await told(`a: ${'['.repeat(100_000)}`)).toContain('nested too deeply');
  });

  test('a huge file is refused before it is read', async () => {
    expect(await told('#'.repeat(5_000_000))).toContain('Put the prompts into a file of their own');
  });

  test('control characters do not reach the terminal', async () => {
    expect(await told(`${hand}"\\u001b[2J": 1`)).not.toContain('\u001b');
  });
});

describe('files', () => {
  test('a missing pipeline is told by its name', async () => {
    expect(await messageOf(loadPipeline('nix.yaml', { env: {} }))).toBe(
      'nix.yaml: there is no such file. Check the path.',
    );
  });

  test('a folder is no pipeline', async () => {
    expect(await messageOf(loadPipeline(folderWith({}), { env: {} }))).toContain('this is a folder');
  });

  test('text that is not UTF-8 is told so', async () => {
    expect(await complaint({ 'p.yaml': Buffer.from([0xff, 0xfe, 0x00]) })).toContain('Save it as UTF-8.');
  });
});

describe('secrets', () => {
  test('a password written beside a mistake is not shown', async () => {
    const message = await told(
      'backends:\n  - name: a\n    kind: a1111\n    auth: bob:correct-horse\n    ulr: http://u:battery@h\n',
    );
    expect(message).toContain("unknown key 'ulr'");
    expect(message).not.toContain('correct-horse');
    expect(message).not.toContain('battery');
  });

  test('a token behind a URL is not shown', async () => {
    const message = await told(
      'prompts: [{ text: a }]\nbackends: [{ name: a, kind: a1111, url: "http://h/?token=battery" }]',
    );
    expect(message).toContain('p.yaml:2:41: backends.0.url: leave out');
    expect(message).not.toContain('battery');
  });

  test('a variable that is missing is named, with the place that needs it', async () => {
    const yaml =
      'prompts: [{ text: a }]\nbackends: [{ name: a, kind: a1111, url: "http://h", auth: "${NOPE}" }]';
    expect(await told(yaml)).toContain(
      'p.yaml:2:59: the environment variable NOPE is not set, and backends.0.auth needs it. Set it, or write a default: ${NOPE:-...}.',
    );
  });

  test("a variable's value is not shown where it has the wrong type", async () => {
    const yaml = `${hand}seed: \${SEED}`;
    const failing = loadPipeline(join(folderWith({ 'p.yaml': yaml }), 'p.yaml'), {
      env: { SEED: 'topsecret' },
    });
    expect(await messageOf(failing)).not.toContain('topsecret');
  });
});

describe('--set is checked', () => {
  test.each([
    ['retry.attempts', 'write it as --set key=value'],
    ['=3', 'write it as --set key=value'],
    ['backends.7.slots=1', "'7' is no place in a list of 1"],
    ['backends.x.slots=1', "'x' is no place in a list of 1"],
    ['extends=a.yaml', 'extends can only be set in a file.'],
    ['retry.atempts=3', "unknown key 'atempts' in retry. Did you mean 'attempts'?"],
    [
      'retry={ ladder: [{ adjust: { steps: +3 } }] }',
      `Write --set 'retry.ladder.0.adjust.steps="+3"' to add, 3 to set.`,
    ],
    ['name.x=3', 'name is a mapping; it takes a text.'],
  ])('%s', async (set, message) => {
    expect(await complaint({ 'p.yaml': hand }, { set: [set] })).toContain(message);
  });

  test('a change without quotes, of a ladder in the file', async () => {
    const yaml = `${hand}retry: { ladder: [{ adjust: { steps: 5 } }] }`;
    expect(await complaint({ 'p.yaml': yaml }, { set: ['retry.ladder.0.adjust.steps=+3'] })).toBe(
      `--set retry.ladder.0.adjust.steps=+3: retry.ladder.0.adjust.steps is +3, which YAML reads as 3. Write --set 'retry.ladder.0.adjust.steps="+3"' to add, 3 to set.`,
    );
  });
});
