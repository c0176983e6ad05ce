import { describe, expect, test } from 'vitest';
import { expandShots } from '../../src/pipeline/index.js';
import { load, messageOf, oneSketch, shotsOf } from '../support/pipeline-folder.js';

/** A prompt file with these lines, and wildcard files of these names. */
async function expand(lines: string[], wildcards: Record<string, string> = {}) {
  const isJson = lines.some((line) => line.startsWith('{"text"'));
  const file = isJson ? 'p.jsonl' : 'p.txt';
  const named = Object.entries(wildcards).map(([name, text]): [string, string] => [`w/${name}.txt`, text]);
  const pipeline = await load({
    'p.yaml': `${oneSketch}prompts: [{ file: ${file} }]\nwildcards: w`,
    [file]: `a plain line\n${lines.join('\n')}\n`.slice(isJson ? 'a plain line\n'.length : 0),
    'w/other.txt': 'other',
    ...Object.fromEntries(named),
  });
  const notes: string[] = [];
  const texts: string[] = [];
  for await (const { request } of expandShots(pipeline, 1, { onNote: (note) => notes.push(note) }))
    texts.push(request.prompt);
  return { texts: isJson ? texts : texts.slice(1), notes: notes.map((note) => note.replace(/^.*?: /, '')) };
}

describe('the grammar of other programs is refused, with its place and what to write', () => {
  test.each([
    ['a bowl of {2$$cherry|plum|fig}', 'several of one choice'],
    ['{2$$ and $$cherry|plum}', 'several of one choice'],
    ['{1-3$$, $$cherry|plum}', 'several of one choice'],
    ['{-2$$a|b}', 'several of one choice'],
    ['{ 2- $$a|b}', 'several of one choice'],
    ['{$$a|b}', 'several of one choice'],
    ['{@2$$a|b}', 'several of one choice'],
    ['trees: {3$$__other__}', 'several of one choice'],
    ['a {b|{2$$c|d}}', 'several of one choice'],
    ['{0,5::a|b}', 'a weight is a number'],
    ['{a|-1::b}', 'a weight is a number'],
    ['{1e3::a|b}', 'a weight is a number'],
    ['{50%::a|b}', 'a weight is a number'],
    ['{99999999999999999999::a|b}', 'this weight is too large'],
    ['${season=!__other__}in ${season}', 'variables ${...} of Dynamic Prompts'],
    ['${c={red|blue}}a ${c} hat', 'variables ${...}'],
    ['a ${size:tall} tree', 'variables ${...}'],
    ['{@red|blue} hat', 'the samplers ~ and @'],
    ['{~red|blue} hat', 'the samplers ~ and @'],
    ['__~other__', 'write __other__'],
    ['__@other__', 'write __other__'],
    ['__other(size=tall)__', 'write __other__'],
    ['__folder\\other__', 'write __folder/other__'],
    ['__{a|b}_tree__', "a wildcard's name takes no choice"],
    ['a woman, __hair color__ hair', 'there is no wildcard __hair color__'],
    ['by __European Art/baroque__', 'there is no wildcard __European Art/baroque__'],
    ['__髪の色、長い__', 'there is no wildcard'],
    ['__\u0939\u093f\u0928\u094d\u0926\u0940__', 'there is no wildcard'],
    ['--prompt "a castle" --negative_prompt "trees"', '\'--prompt "a castle"'],
    ['a castle --negative_prompt "trees, people"', "write '\\--'"],
    ['a castle --steps=30', 'options such as'],
    ['a castle --Negative-Prompt x', 'options such as'],
    ['--whatever 3', 'options such as'],
    ['a cat --ar 3:2 --v 6', 'options such as'],
    ['{a --seed 4|b}', 'options such as'],
    ['{{{masterpiece}}}, best', "braces without '|' are no choice"],
    ['{best quality}, 1girl', "write '\\{'"],
    ['a sign that says "{OPEN}"', "at '{OPEN}\"'"],
    ['{}', "braces without '|'"],
    ['{a: b, c: d}', "braces without '|'"],
    ['{2::a}', "braces without '|'"],
  ])('%s', async (line, message) => {
    const told = await messageOf(expand([line]));
    expect(told).toMatch(/^p\.txt:2: /);
    expect(told).toContain(message);
  });

  test('in negative prompts, in the pipeline itself and in the lines of wildcards too', async () => {
    const negative = load({ 'p.yaml': `${oneSketch}prompts: [{ text: a, negative_prompt: "{x}" }]` });
    expect(await messageOf(negative)).toContain('p.yaml:2:39: prompts.0.negative_prompt, at');
    expect(await messageOf(expand(['__trees__'], { trees: 'oak\n{2$$a|b}' }))).toContain('trees.txt:2: at');
    expect(await messageOf(expand(['__trees__'], { trees: '--seed 3' }))).toContain('options such as');
    expect(await messageOf(expand(['__trees__'], { trees: '0,3::oak' }))).toContain('a weight is a number');
  });
});

describe('what is plainly meant passes, with a note', () => {
  const json =
    '{"scene": "a pianist | on stage", "subjects": [{"type": "woman", "more": {}}], "f-number": "f/1.8"}';
  test.each([
    [json, 'JSON, whose braces stay'],
    [`in the style of ${json}, soft`, 'JSON'],
    ["{'a': {'b': 1}}", 'JSON'],
    ['{prompt}, key visual', "'{prompt}, key visual' stays"],
    ['1girl, o__o, smile, x__x, ^__^', 'is no wildcard'],
    ['fill in the __ and __ here', undefined],
    ['x__y z__', 'stays as it is'],
    ['an old man--tired --and sad', 'looks like an option'],
    ['it costs $5 -- or $$', undefined],
    ['(a:1.2) [b|c] <lora:my__file__x:1> a::b AND', undefined],
  ])('%s', async (line, note) => {
    const { texts, notes } = await expand([JSON.stringify({ text: line })]);
    expect(texts).toEqual([line]);
    if (note === undefined) expect(notes).toEqual([]);
    else expect(notes.join()).toContain(note);
  });

  test('choices and wildcards in JSON are made', async () => {
    const { texts } = await expand([JSON.stringify({ text: '{"hair": "{red|red}", "of": "__other__"}' })]);
    expect(texts).toEqual(['{"hair": "red", "of": "other"}']);
  });

  test('and so does what is escaped', async () => {
    const { texts, notes } = await expand([
      String.raw`\--steps, \{OPEN\}, $\{x\}, \__hair color__, {a\--seed 1|a--seed 1}`,
    ]);
    expect(texts[0]).toMatch(/^--steps, \{OPEN\}, \$\{x\}, __hair color__, a--seed 1$/);
    expect(notes).toEqual([]);
  });

  test('many notes are told in part', async () => {
    const { notes } = await expand(Array.from({ length: 100 }, (_, index) => `{prompt} ${index}`));
    expect(notes).toHaveLength(21);
    expect(notes.at(-1)).toContain('80 more');
  });
});

test.each([
  'hair color',
  'European Art/baroque',
  'hawks,_eagles,_and_kites',
  'artists (modern) & co.',
  "it's",
  '髪の色',
  '髪 色',
  '\u0939\u093f\u0928\u094d\u0926\u0940',
  'caf\u00e9 noir',
  'a+b=c!',
])('a wildcard may be called %s', async (name) => {
  const line = `a __${name}__ b, (__${name}__:1.2), {__${name}__|__${name}__}`;
  const { texts, notes } = await expand([line], { [name]: 'X' });
  expect(texts).toEqual(['a X b, (X:1.2), X']);
  expect(notes).toEqual([]);
  // As macOS keeps names.
  expect((await expand([line], { [name.normalize('NFD')]: 'X' })).texts).toEqual(texts);
});

test('the same name in a glob takes no time, whatever its stars', async () => {
  const name = 'a'.repeat(200);
  const stars = `${'*a'.repeat(60)}*b`;
  expect(await messageOf(expand([`__${stars}__`], { [name]: 'x' }))).toContain('no wildcard');
  expect((await expand(['__a*/b, c*__'], { 'a x/b, c d': 'X', 'a/.b, c': 'Y' })).texts).toEqual(['X']);
});

test('a wildcard of other tools is read as it is', async () => {
  const shots = await shotsOf(
    await load({
      'p.yaml': `${oneSketch}prompts: [{ text: "__tree__", count: 200 }]\nwildcards: w`,
      'w/tree.txt': '.5::oak\n0.5 ::elm\n0::ash',
    }),
  );
  expect(new Set(shots.map(({ request }) => request.prompt))).toEqual(new Set(['oak', 'elm']));
});
