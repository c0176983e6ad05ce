import { traitsOf } from './backends.js';
import { keyName } from './explain.js';
import { childOf, type Located, type Path } from './located.js';
import type { Problem } from './problems.js';
import type { Settled } from './schema.js';
import { changeable } from './settings.js';

/** `+1` without quotes, which YAML reads as the number 1: it would be set, where one was to be added. */
export function unquotedChanges(tree: Located): Problem[] {
  const ladder = inside(tree, ['retry', 'ladder'])?.content;
  if (!Array.isArray(ladder)) return [];
  return ladder.flatMap((rung, index) => {
    const changes = childOf(rung as Located, 'adjust')?.content;
    return [...(changes instanceof Map ? changes : [])].flatMap(([key, { written, spot }]) => {
      if (written?.startsWith('+') !== true) return [];
      const name = keyName(['retry', 'ladder', index, 'adjust', key]);
      const how =
        spot.source.name === '--set' ? `--set '${name}="${written}"'` : `"${written}", with the quotes,`;
      const message = `${name} is ${written}, which YAML reads as ${written.slice(1)}. Write ${how} to add, ${written.slice(1)} to set.`;
      return [{ message, spot }];
    });
  });
}

const inside = (tree: Located, path: Path): Located | undefined =>
  path.reduce<Located | undefined>((at, key) => at && childOf(at, key), tree);

/** What servers of A1111's family have no default of that we know: the others count from it. */
const unknownThere = ['clip_skip', 'denoising_strength'];

/** Changes by "+1" and the like where neither a shot nor a server's side has a number to start from. */
export function* changesOfNothing({ backends, generate, prompts, retry }: Settled): Generator<{
  path: Path;
  message: string;
}> {
  // A workflow has its own.
  if (backends.some((one) => traitsOf(one).hasSettings)) return;
  const set = new Set([
    ...Object.keys(generate),
    ...[...changeable].filter((key) => !unknownThere.includes(key)),
  ]);
  for (const prompt of prompts) {
    // What a table sets is known when its rows are read.
    if (prompt.file !== undefined && !/\.txt$/i.test(prompt.file)) return;
    for (const key of Object.keys({ ...prompt, ...prompt.matrix })) set.add(key);
  }
  for (const [index, rung] of retry.ladder.entries()) {
    if (typeof rung !== 'object' || rung.adjust === undefined) continue;
    for (const [key, value] of Object.entries(rung.adjust)) {
      const path = ['retry', 'ladder', index, 'adjust', key];
      const isChange = changeable.has(key) && typeof value === 'string';
      if (isChange && !set.has(key)) {
        yield {
          path,
          message: `${keyName(path)} changes a number that nothing sets. Set ${key} in generate or in a prompt, or write a number without sign here.`,
        };
      }
      set.add(key);
    }
  }
}
