import path from 'node:path';
import { isScriptPicture, type Json } from '../loop/index.js';
import type { Located, Path } from './located.js';

/** The settings whose value is a path. Each is relative to the file that names it. */
const pathSettings = new RegExp(
  '^(' +
    [
      'wildcards',
      'pictures.N',
      'output.dir',
      'gate.model',
      'gate.model.N',
      'backends.N.workflow',
      'prompts.N.file',
      'generate.IMAGE',
      'prompts.N.IMAGE',
      'prompts.N.matrix.IMAGE.N',
      'retry.ladder.N.adjust.IMAGE',
      'retry.ladder.N.repair.workflow',
    ]
      .join('|')
      .replaceAll('.', '\\.')
      .replaceAll('IMAGE', '(init_image|mask)')
      .replaceAll('N', '\\d+') +
    ')$',
);

const inScripts =
  /^(generate|prompts\.\d+(\.matrix)?|retry\.ladder\.\d+\.adjust)\.a1111\.(\d+\.)?alwayson_scripts\./;

/** False for what is no path of ours to move: a model's name on the Hub, a path that begins with a variable. */
function isRelativePath(at: Path, text: string): boolean {
  const key = at.join('.');
  if (!pathSettings.test(key) && !(inScripts.test(key) && isScriptPicture(text))) return false;
  if (text === '' || text.startsWith('${')) return false;
  if (/^gate\.model\b/.test(key) && !text.startsWith('.')) return false;
  return !path.isAbsolute(text);
}

/** The same tree for a file in folder `to`, where it was written for a file in folder `from`. */
export function rebase(tree: Located, at: Path, from: string, to: string): Located {
  const { content } = tree;
  if (content instanceof Map) {
    const moved = [...content].map(([key, value]): [string, Located] => [
      key,
      rebase(value, [...at, key], from, to),
    ]);
    return { ...tree, content: new Map(moved) };
  }
  if (Array.isArray(content)) {
    return {
      ...tree,
      content: content.map((item, index) => rebase(item as Located, [...at, index], from, to)),
    };
  }
  if (typeof content !== 'string' || !isRelativePath(at, content)) return tree;
  const moved = path.relative(to, path.resolve(from, content));
  // A model is known for a folder by its leading dot.
  return { ...tree, content: moved.startsWith('.') ? moved : `./${moved}` };
}

/** The same tree with every path made absolute. */
export function resolvePaths(tree: Json, folder: string): Json {
  return mapStrings(tree, [], (text, at) => (isRelativePath(at, text) ? path.resolve(folder, text) : text));
}

/** The same tree with every text in it put through `map`. */
export function mapStrings(tree: Json, at: Path, map: (text: string, at: Path) => string): Json {
  if (typeof tree === 'string') return map(tree, at);
  if (Array.isArray(tree)) return tree.map((item, index) => mapStrings(item, [...at, index], map));
  if (tree === null || typeof tree !== 'object') return tree;
  return Object.fromEntries(
    Object.entries(tree).map(([key, value]) => [key, mapStrings(value, [...at, key], map)]),
  );
}
