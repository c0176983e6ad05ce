import path from 'node:path';
import { ConfigError } from '../errors.js';
import { readText } from './files.js';
import { childOf, parseYaml, type Located } from './located.js';
import { rebase } from './paths.js';
import { configError, displayPath, type Source } from './problems.js';

/** Beyond this, prompts belong into a file of their own, which is streamed. */
const mostBytes = 4_000_000;

/**
 * Reads a pipeline file with all that it `extends`. Mappings are merged key by key; of lists and single values
 * the later one counts: first the extended files in their order, then the file itself.
 */
export async function readMerged(file: string): Promise<Located> {
  return read(path.resolve(file), [], { files: 0 });
}

/** Files that each extend ten others ten times would never end. */
const mostFiles = 200;

async function read(file: string, open: readonly string[], count: { files: number }): Promise<Located> {
  if (++count.files > mostFiles)
    throw new ConfigError(`extends takes in more than ${mostFiles} files. Put them together.`);
  const advice = 'Put the prompts into a file of their own: prompts: [{ file: prompts.txt }].';
  const source: Source = { name: file, text: await readText(file, mostBytes, advice) };
  const tree = parseYaml(source);
  if (!(tree.content instanceof Map)) {
    const message = 'a pipeline is a mapping: name, backends, prompts. `reroll init` writes a first one.';
    throw configError([{ message, spot: { source, start: 0, end: 1 } }]);
  }
  const own = new Map(tree.content);
  own.delete('extends');
  const folder = path.dirname(file);
  let merged: Located = { ...tree, content: new Map() };
  for (const { name, at } of extendedFiles(tree)) {
    const base = path.resolve(folder, name);
    if ([...open, file].includes(base)) {
      const circle = [...open, file, base].map(displayPath).join(' -> ');
      throw configError([
        { message: `extends goes in a circle: ${circle}. Take one of them out.`, spot: at.spot },
      ]);
    }
    const below = await read(base, [...open, file], count).catch((error: unknown) => {
      throw error instanceof ConfigError && error.cause
        ? configError([{ message: error.message, spot: at.spot }])
        : error;
    });
    merged = merge(merged, rebase(below, [], path.dirname(base), folder));
  }
  return merge(merged, { ...tree, content: own });
}

function extendedFiles(tree: Located): { name: string; at: Located }[] {
  const value = childOf(tree, 'extends');
  if (!value) return [];
  const list = Array.isArray(value.content) ? (value.content as Located[]) : [value];
  return list.map((at) => {
    if (typeof at.content === 'string' && at.content !== '') return { name: at.content, at };
    throw configError([
      { message: 'extends takes the path of a YAML file, or a list of paths.', spot: at.spot },
    ]);
  });
}

function merge(below: Located, above: Located): Located {
  if (!(below.content instanceof Map) || !(above.content instanceof Map)) return above;
  const content = new Map(below.content);
  for (const [key, value] of above.content) {
    const old = content.get(key);
    content.set(key, old ? merge(old, value) : value);
  }
  return { ...above, content };
}

/** `tree` with one `a.b=value` put in. `folder` is the pipeline's; paths are relative to `cwd`. */
export function applySet(tree: Located, setting: string, folder: string, cwd = process.cwd()): Located {
  const source: Source = { name: '--set', text: setting };
  const equals = setting.indexOf('=');
  if (equals < 1) {
    throw configError([
      { message: 'write it as --set key=value, for example --set retry.attempts=3.', spot: whole(source) },
    ]);
  }
  const keys = setting.slice(0, equals).trim().split('.');
  if (keys[0] === 'extends') {
    throw configError([{ message: 'extends can only be set in a file.', spot: whole(source) }]);
  }
  const parsed = parseYaml({ name: '--set', text: setting.slice(equals + 1) });
  const at = keys.map((key) => (/^\d+$/.test(key) ? Number(key) : key));
  return put(tree, keys, relocate(rebase(parsed, at, cwd, folder), whole(source)), source);
}

const whole = (source: Source): { source: Source; start: number; end: number } => ({
  source,
  start: 0,
  end: source.text.length,
});

/** The same tree, said to be written at `spot`: what follows `--set` is quoted as a whole. */
function relocate({ content, ...rest }: Located, spot: Located['spot']): Located {
  if (content instanceof Map) {
    const entries = [...content].map(([key, value]): [string, Located] => [key, relocate(value, spot)]);
    return { content: new Map(entries), spot };
  }
  return {
    ...rest,
    content: Array.isArray(content) ? content.map((item) => relocate(item as Located, spot)) : content,
    spot,
  };
}

function put(tree: Located, [key, ...rest]: readonly string[], value: Located, source: Source): Located {
  if (key === undefined) return value;
  const inside = childOf(tree, key) ?? { content: new Map<string, Located>(), spot: value.spot };
  const { content } = tree;
  if (Array.isArray(content)) {
    const index = Number(key);
    if (!/^\d+$/.test(key) || index > content.length) {
      const message = `'${key}' is no place in a list of ${content.length}: count from 0, or ${content.length} to add one.`;
      throw configError([{ message, spot: whole(source) }]);
    }
    const items = [...(content as Located[])];
    items[index] = put(inside, rest, value, source);
    return { ...tree, content: items };
  }
  const entries = content instanceof Map ? content : new Map<string, Located>();
  const spot = content instanceof Map ? tree.spot : value.spot;
  return { ...tree, spot, content: new Map([...entries, [key, put(inside, rest, value, source)]]) };
}
