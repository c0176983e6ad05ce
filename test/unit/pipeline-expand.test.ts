import fc from 'fast-check';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { seedFor, type Shot } from '../../src/loop/index.js';
import { expandShots } from '../../src/pipeline/index.js';
import { load, messageOf, oneSketch, shotsOf } from '../support/pipeline-folder.js';

/** As much of a picture as is looked at. */
const png = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const prompts = (list: string, rest = '') => `${oneSketch}prompts: ${list}\n${rest}`;
const texts = (shots: Shot[]) => shots.map(({ request }) => request.prompt);

describe('shots', () => {
  test('are numbered from 1, in the order of prompts, combinations and count', async () => {
    const pipeline = await load({
      'p.yaml': prompts(
        '[{ text: a, matrix: { steps: [1, 2], cfg_scale: [3, 4] }, count: 2 }, { text: b, name: named }]',
      ),
    });
    const shots = await shotsOf(pipeline);
    expect(shots.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(shots.map(({ request }) => `${request.steps}/${request.cfg_scale}`)).toEqual([
      '1/3',
      '1/3',
      '1/4',
      '1/4',
      '2/3',
      '2/3',
      '2/4',
      '2/4',
      'undefined/undefined',
    ]);
    expect(shots[0]).toMatchObject({ prompt: 'p1', priority: 0, tags: [] });
    expect(shots.at(-1)).toMatchObject({ prompt: 'named' });
  });

  test('carry settings, the nearest word counting: row over prompt over generate', async () => {
    const pipeline = await load({
      'p.yaml': prompts(
        '[{ file: p.csv, steps: 2, cfg_scale: 2, priority: 3 }]',
        'generate: { steps: 1, cfg_scale: 1, width: 64 }',
      ),
      'p.csv': 'text,steps,priority\nx,3,4\ny,,\n',
    });
    const [x, y] = await shotsOf(pipeline);
    expect(x).toMatchObject({ priority: 4, request: { steps: 3, cfg_scale: 2, width: 64 } });
    expect(y).toMatchObject({ priority: 3, request: { steps: 2, cfg_scale: 2, width: 64 } });
    expect(x?.request).not.toHaveProperty('sampler');
  });

  test("draw their seed from the run's, or count on from the prompt's", async () => {
    const pipeline = await load({
      'p.yaml': prompts('[{ text: a }, { text: b, seed: 4294967295, count: 3 }]'),
    });
    const seeds = (await shotsOf(pipeline, 99)).map(({ request }) => request.seed);
    expect(seeds).toEqual([seedFor(99, 1, 1), 4294967295, 0, 1]);
  });

  test('are the same for the same seed, and others for another', async () => {
    const pipeline = await load({
      'p.yaml': prompts('[{ text: "{a|b|c|d} __w__", count: 200 }]', 'wildcards: w'),
      'w/w.txt': 'x\ny\nz',
    });
    const [once, again, other] = [
      await shotsOf(pipeline, 5),
      await shotsOf(pipeline, 5),
      await shotsOf(pipeline, 6),
    ];
    expect(again).toEqual(once);
    expect(texts(other)).not.toEqual(texts(once));
    // Each shot chooses anew.
    expect(new Set(texts(once)).size).toBe(12);
  });

  test('make choices in the negative prompt too', async () => {
    const pipeline = await load({
      'p.yaml': prompts('[{ text: a, count: 50 }]', 'generate: { negative_prompt: "{b|c}" }'),
    });
    expect(new Set((await shotsOf(pipeline)).map(({ request }) => request.negative_prompt))).toEqual(
      new Set(['b', 'c']),
    );
  });

  test('are streamed: the first one comes before a million others are made', async () => {
    const pipeline = await load({ 'p.yaml': prompts('[{ text: "{a|b}", count: 1000000 }]') });
    const shots = expandShots(pipeline, 1);
    expect((await shots.next()).value).toMatchObject({ index: 1 });
    await shots.return(undefined);
  });
});

describe('prompt files', () => {
  const read = async (name: string, content: string | Buffer, rest = '') =>
    shotsOf(await load({ 'p.yaml': prompts(`[{ file: ${name}${rest} }]`), [name]: content }));

  test('.txt: a prompt a line; empty lines and comments do not count', async () => {
    expect(texts(await read('p.txt', '# no\none\n\n  two  \n\\# three'))).toEqual(['one', 'two', '# three']);
  });

  test('.csv: quotes, commas, line ends in cells, empty cells and JSON in cells', async () => {
    const shots = await read(
      'p.csv',
      'text,count,styles,negative_prompt\n"a, ""b""\nc",2,"[""x"",""y""]",7\n\nd,,,\n',
    );
    expect(texts(shots)).toEqual(['a, "b"\nc', 'a, "b"\nc', 'd']);
    expect(shots[0]?.request).toMatchObject({ styles: ['x', 'y'], negative_prompt: '7' });
    expect(shots[2]?.request).not.toHaveProperty('styles');
  });

  test('.jsonl: an object a line', async () => {
    const shots = await read('p.jsonl', '{"text":"a","steps":3,"tags":[]}\n\n{"prompt":"b","name":"bee"}\n');
    expect(shots.map(({ prompt, request }) => [prompt, request.prompt, request.steps])).toEqual([
      ['p1', 'a', 3],
      ['bee', 'b', undefined],
    ]);
  });

  test('rows of a named file are numbered', async () => {
    expect((await read('p.txt', 'a\nb', ', name: list')).map(({ prompt }) => prompt)).toEqual([
      'list-1',
      'list-2',
    ]);
  });

  test("pictures count from the file's folder", async () => {
    const pipeline = await load({
      'p.yaml': prompts('[{ file: sub/p.csv }]'),
      'sub/p.csv': 'text,init_image\na,pose.png\n',
      'sub/pose.png': png,
    });
    expect((await shotsOf(pipeline))[0]?.request.init_image).toBe(join(pipeline.dir, 'sub', 'pose.png'));
  });

  test.each([
    ['p.txt', '', 'p.txt has no prompts in it.'],
    ['p.txt', '# only\n\n', 'p.txt has no prompts in it.'],
    ['p.txt', 'one\n{a|b', "p.txt:2: at '{a|b': this '{' is never closed."],
    ['p.txt', 'one\n__x__', 'p.txt:2: __x__ is a wildcard, and the pipeline names no folder of wildcards.'],
    ['p.txt', Buffer.from([0x61, 0xff]), 'Save it as UTF-8.'],
    ['p.txt', 'x'.repeat(1_100_000), 'p.txt:1: the line is longer than 1000000 characters.'],
    ['p.csv', 'text,steps\na,x\n', "p.csv:2: steps is the text 'x'; it takes a number."],
    ['p.csv', 'text,stpes\na,3\n', "p.csv:2: unknown key 'stpes'. Did you mean 'steps'?"],
    ['p.csv', 'text,text\na,3\n', "p.csv:1: the column 'text' is there twice."],
    ['p.csv', 'text\na,3\n', 'p.csv:2: 2 cells for 1 column. Put quotes around a cell with a comma in it.'],
    ['p.csv', 'text\na\n"b\nc\n', 'p.csv:3: a quote " is opened here and never closed.'],
    ['p.csv', 'steps\n3\n', "p.csv:2: a row has its prompt in the column 'text' (or 'prompt')."],
    ['p.csv', 'text,tags\na,"[""sdxl""]"\n', 'p.csv:2: no backend has the tags sdxl'],
    ['p.jsonl', '{"text":"a"}\n{"text":', 'p.jsonl:2: not valid JSON'],
    ['p.jsonl', '[]', 'p.jsonl:1: the row is a list; it takes a mapping'],
    ['p.jsonl', '{"text":"a","width":65}', 'p.jsonl:1: width is 65; it takes a multiple of 8: 64 or 72.'],
  ])('%s %#: a mistake is told with its line', async (name, content, message) => {
    expect(await messageOf(read(name, content))).toContain(message);
  });

  test('an endless quote is given up early', async () => {
    const csv = `text\n"${'a line of a cell that never ends\n'.repeat(50_000)}`;
    expect(await messageOf(read('p.csv', csv))).toContain('p.csv:2: a quote " is opened here');
  });

  test('any cells come back as they were', async () => {
    const cell = fc
      .string({ minLength: 1, maxLength: 20, unit: fc.constantFrom('a', '"', ',', '\n', ' ', 'é') })
      .filter((text) => text.trim() !== '');
    await fc.assert(
      fc.asyncProperty(fc.array(cell, { minLength: 1, maxLength: 5 }), async (cells) => {
        const csv = `text\n${cells.map((text) => `"${text.replaceAll('"', '""')}"`).join('\n')}\n`;
        expect(texts(await read('p.csv', csv))).toEqual(cells);
      }),
      { numRuns: 50 },
    );
  });
});

describe('wildcards', () => {
  const choose = async (text: string, files: Record<string, string>, count = 300) => {
    const named = Object.fromEntries(Object.entries(files).map(([name, content]) => [`w/${name}`, content]));
    const pipeline = await load({
      'p.yaml': prompts(`[{ text: ${JSON.stringify(text)}, count: ${count} }]`, 'wildcards: w'),
      'w/unused.txt': '__missing__',
      ...named,
    });
    return [...new Set(texts(await shotsOf(pipeline)))].sort();
  };

  test('become a line of their file; comments and empty lines do not count', async () => {
    expect(await choose('__c__', { 'c.txt': '# no\na\n\nb\r\n\\# c' })).toEqual(['# c', 'a', 'b']);
  });

  test('stand in folders and in each other, with choices in their lines', async () => {
    const files = { 'a/b/c.txt': 'x __d_e__', 'd_e.txt': '{1|2}' };
    expect(await choose('__a/b/c__', files)).toEqual(['x 1', 'x 2']);
  });

  test('take all files of a folder, by its name or by a glob', async () => {
    const files = { 'animals/cat.txt': 'cat', 'animals/dog.txt': 'dog', 'animals/sea/eel.txt': 'eel' };
    expect(await choose('__animals__', files)).toEqual(['cat', 'dog', 'eel']);
    expect(await choose('__animals/*__', files)).toEqual(['cat', 'dog']);
    expect(await choose('__animals/**__', files)).toEqual(['cat', 'dog', 'eel']);
    expect(await choose('__animals/d*__', files)).toEqual(['dog']);
  });

  test('may weigh their lines; a weight of 0 is never taken', async () => {
    expect(await choose('__c__', { 'c.txt': '0::a\n3::b\nc' })).toEqual(['b', 'c']);
  });

  test('stay as they are inside <...> where no file has that name', async () => {
    expect(await choose('<lora:my__c__v2:0.8> <lora:x__d__:1>', { 'c.txt': 'x' })).toEqual([
      '<lora:myxv2:0.8> <lora:x__d__:1>',
    ]);
  });

  test.each([
    ['__nix__', {}, 'there is no wildcard __nix__: no file nix.txt in w.'],
    ['__citi__', { 'city.txt': 'a' }, "Did you mean 'city'?"],
    ['__../p__', {}, 'there is no wildcard __../p__'],
    ['__e__', { 'e.txt': '# nothing\n' }, 'w/e.txt has no lines to choose from.'],
    ['__e__', { 'e.txt': 'a\n{b' }, 'w/e.txt:2: at '],
    ['__a__', { 'a.txt': '__a__' }, 'wildcards go in a circle: __a__ -> __a__. Take one of them out.'],
    [
      '__a__',
      { 'a.txt': 'x\n{y|__b__}', 'b.txt': '__c__', 'c.txt': '__b__' },
      'in a circle: __b__ -> __c__ -> __b__.',
    ],
    ['__d/*__', { 'd/x.txt': '__d/*__' }, 'wildcards go in a circle'],
  ])('%s %#: a mistake is told', async (text, files, message) => {
    expect(await messageOf(choose(text, files))).toContain(message);
  });

  test('that grow without bound are stopped', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 30 }, (_, n) => [`w${n}.txt`, `__w${n + 1}__ __w${n + 1}__`]),
    );
    expect(await messageOf(choose('__w0__', { ...files, 'w30.txt': 'x' }, 1))).toContain(
      'multiply to an endless text',
    );
  });

  test('of which no folder is named are told how to get one', async () => {
    expect(await messageOf(shotsOf(await load({ 'p.yaml': prompts('[{ text: __city__ }]') })))).toContain(
      "Add 'wildcards: ./wildcards'",
    );
  });
});
