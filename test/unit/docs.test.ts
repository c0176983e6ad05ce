import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { addClassifyCommand } from '../../src/cli/commands/classify.js';
import { addControlCommands } from '../../src/cli/commands/control.js';
import { addDoctorCommand } from '../../src/cli/commands/doctor.js';
import { addInitCommand } from '../../src/cli/commands/init.js';
import { addModelCommands } from '../../src/cli/commands/model.js';
import { addRunCommands } from '../../src/cli/commands/run.js';
import { addSketchCommand } from '../../src/cli/commands/sketch.js';
import { planAttempt, type ImageRequest } from '../../src/loop/index.js';
import { jsonSchema } from '../../src/pipeline/reference.js';
import { load, oneSketch, shotsOf } from '../support/pipeline-folder.js';

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...readdirSync('docs').map((name) => `docs/${name}`),
]
  .filter((name) => name.endsWith('.md'))
  .map((name) => ({ name, text: readFileSync(name, 'utf8') }));

/** The parts of a page between ```KIND and ```, with the line that each begins at. */
const blocks = (kind: string) =>
  pages.flatMap(({ name, text }) =>
    [...text.matchAll(new RegExp(`^\`\`\`${kind}\\n([^]*?)^\`\`\``, 'gm'))].map((match) => ({
      place: `${name}:${text.slice(0, match.index).split('\n').length}`,
      text: match[1]!,
    })),
  );

const least = { backends: oneSketch, prompts: 'prompts: [{ text: a hand }]\n' };

it.each(blocks('yaml').filter(({ text }) => parse(text) !== null))(
  'the pipeline at $place is one',
  async ({ text }) => {
    const said = parse(text) as object;
    const rest = Object.entries(least).map(([key, yaml]) => (key in said ? '' : yaml));
    // Whatever files it names are there.
    const names = text.match(/[\w./-]+\.(png|json|txt|csv|jsonl)/g) ?? [];
    const files = Object.fromEntries(names.map((name) => [name, name.endsWith('.json') ? '{}' : 'a hand']));
    const env = { A1111_AUTH: 'user:password', COMFY_API_KEY: 'key' };
    const pipeline = await load(
      {
        'poses/one.png': 'a picture',
        'wildcards/city.txt': 'Rome',
        ...files,
        'p.yaml': text + rest.join(''),
      },
      { env },
    );
    expect((await shotsOf(pipeline)).length).toBeGreaterThan(0);
  },
);

it('every link leads to a file, and to a heading of it', () => {
  const anchors = (file: string) =>
    [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    );
  const broken = pages.flatMap(({ name, text }) =>
    [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].flatMap(([, path, anchor]) => {
      const file = path === '' ? name : join(dirname(name), path!);
      try {
        if (anchor === undefined)
          return readdirSync(dirname(resolve(file))).includes(file.split('/').at(-1)!) ? [] : [file];
        return anchors(file).includes(anchor) ? [] : [`${name}: ${path}#${anchor}`];
      } catch {
        return [`${name}: ${path}`];
      }
    }),
  );
  expect(broken).toEqual([]);
});

it('every command that is written has its name and its options', () => {
  const program = new Command('reroll');
  for (const add of [
    addInitCommand,
    addDoctorCommand,
    addRunCommands,
    addControlCommands,
    addClassifyCommand,
    addModelCommands,
    addSketchCommand,
  ])
    add(program, () => undefined);
  const problemWith = (line: string): string | undefined => {
    const words = line.split(/\s+/);
    let command = program;
    for (let below; (below = command.commands.find((one) => one.name() === words[0])); words.shift())
      command = below;
    if (command === program) return `there is no ${words[0]}`;
    const known = ['--help', ...command.options.flatMap(({ long, short }) => [long, short])];
    return words.find((word) => /^--?[a-z]/.test(word) && !known.includes(word.split('=')[0]));
  };
  const found = (name: string, text: string, pattern: RegExp) =>
    [...text.matchAll(pattern)].map(([, line]) => ({ name, line: line! }));
  const lines = [
    ...pages.flatMap(({ name, text }) => found(name, text, /(?:^ {4}|`)reroll ([a-z][^`\n|#]*)/gm)),
    ...blocks('sh').flatMap(({ place, text }) => found(place, text, /^reroll ([a-z][^\n|#]*)/gm)),
  ];
  expect(lines.length).toBeGreaterThan(50);
  const wrong = lines.flatMap(({ name, line }) => {
    const problem = problemWith(line);
    return problem === undefined ? [] : [`${name}: reroll ${line}: ${problem}`];
  });
  expect(wrong).toEqual([]);
});

it('every key in the table of terms is a key of the pipeline', () => {
  const schema = JSON.parse(jsonSchema()) as object;
  const settings = Object.keys(property(schema, 'generate').properties ?? {});
  const text = readFileSync('docs/terms.md', 'utf8');
  const keys = [...text.matchAll(/^\| (.*?)(?<!\\) \|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`([a-z][a-z_.0-9]+)(?::[^`]*)?`/g)].map(([, key]) => key!),
  );
  expect(keys.length).toBeGreaterThan(25);
  for (const key of keys) {
    if (settings.includes(key) || ['count', 'matrix'].includes(key)) continue;
    let node = schema;
    for (const part of key.split('.')) node = property(node, part);
  }
});

interface Node {
  properties?: Record<string, object>;
  items?: object;
  anyOf?: object[];
  oneOf?: object[];
}

function property(node: Node, key: string): Node {
  const forms: Node[] = [node, ...(node.anyOf ?? []), ...(node.oneOf ?? [])];
  const found = forms.map((form) => (/^\d+$/.test(key) ? form.items : form.properties?.[key])).find(Boolean);
  if (!found) throw new Error(`no ${key}`);
  return found;
}

it('the table of attempts is what the ladder makes', async () => {
  const text = readFileSync('docs/attempts.md', 'utf8');
  const yaml = /```yaml\n([^]*?)```/.exec(text)![1]!;
  const { retry } = await load({ 'p.yaml': `${oneSketch}${least.prompts}${yaml}` });
  const rows = [...text.matchAll(/^\| (\d+) .*$/gm)].map(([row]) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  expect(rows).toHaveLength(retry.attempts);
  const first: ImageRequest = { prompt: 'a', seed: 1, cfg_scale: 6, negative_prompt: 'blurry' };
  for (const [number, seed, cfg, negative, repaired] of rows) {
    const { request, repair } = planAttempt(
      first,
      retry.ladder,
      Number(number),
      (attempt) => attempt + 100,
      [],
    );
    expect([
      number,
      request.seed === 1 ? 'first' : 'new',
      String(request.cfg_scale),
      request.negative_prompt,
    ]).toEqual([number, seed, cfg, negative]);
    expect(repair ? String(Number(number) - 1) : '').toBe(repaired);
  }
});
