import fs from 'node:fs/promises';
import path from 'node:path';
import picomatch from 'picomatch';
import { ConfigError } from '../errors.js';
import { readText, unreadable } from './files.js';
import { suggestion } from '../base/nearest.js';
import { displayPath } from './problems.js';
import {
  choiceOf,
  parseLine,
  type Choice,
  type Option,
  type Template,
  type WildcardPart,
} from './template.js';

const MOST_BYTES = 16_000_000;
/** Deeper chains of wildcards in wildcards are surely a mistake. */
const DEEPEST = 50;

/** The wildcard files of a pipeline. Each is read when a prompt first needs it, and kept. */
export class Wildcards {
  private files: Promise<string[]> | undefined;
  private readonly byName = new Map<string, Choice>();
  private readonly byFile = new Map<string, Option[]>();

  constructor(private readonly folder: string | undefined) {}

  /** Reads whatever `template` needs. Throws ConfigError for a wildcard that is missing, empty or in a circle. */
  async prepare({ wildcards }: Pick<Template, 'wildcards'>): Promise<void> {
    for (const part of wildcards) if (!this.byName.has(part.wildcard)) await this.load(part, []);
  }

  /** The lines of a wildcard that `prepare` has seen; nothing for an optional one that does not exist. */
  choice(name: string): Choice | undefined {
    return this.byName.get(name);
  }

  /** `open` are the files whose lines led here, each with the name it was called by. */
  private async load(part: WildcardPart, open: readonly { name: string; file: string }[]): Promise<void> {
    const files = await this.find(part);
    const options: Option[] = [];
    for (const file of files) {
      const first = open.findIndex((other) => other.file === file);
      if (first >= 0) {
        const circle = [...open.slice(first).map(({ name }) => name), part.wildcard].map(
          (name) => `__${name}__`,
        );
        throw new ConfigError(`wildcards go in a circle: ${circle.join(' -> ')}. Take one of them out.`);
      }
      if (open.length === DEEPEST)
        throw new ConfigError(`wildcards are nested deeper than ${DEEPEST}: __${part.wildcard}__.`);
      options.push(
        ...(this.byFile.get(file) ?? (await this.read(file, [...open, { name: part.wildcard, file }]))),
      );
    }
    if (files.length > 0) this.byName.set(part.wildcard, choiceOf(options));
  }

  private async read(name: string, open: readonly { name: string; file: string }[]): Promise<Option[]> {
    const file = path.join(this.folder ?? '', `${name}.txt`);
    const text = await readText(file, MOST_BYTES, 'Split it into several files in one folder.');
    const options: Option[] = [];
    for (const [index, line] of text.split(/\r?\n/).entries()) {
      if (line.trim() === '' || line.startsWith('#')) continue;
      const { option, wildcards } = atLine(file, index + 1, () =>
        parseLine(line.replace(/^\\#/, '#').trim()),
      );
      options.push(option);
      for (const part of wildcards) if (!this.byName.has(part.wildcard)) await this.load(part, open);
    }
    if (!options.some(({ weight }) => weight > 0)) {
      throw new ConfigError(`the wildcard file ${displayPath(file)} has no lines to choose from.`);
    }
    this.byFile.set(name, options);
    return options;
  }

  /** The names of the files that `__name__` stands for: that file, or all in that folder, or all that a glob matches. */
  private async find({ wildcard: name, optional }: WildcardPart): Promise<string[]> {
    if (this.folder === undefined) {
      if (optional) return [];
      throw new ConfigError(
        `__${name}__ is a wildcard, and the pipeline names no folder of wildcards. Add 'wildcards: ./wildcards', or write '\\__${name}__' for the text itself.`,
      );
    }
    const known = await (this.files ??= listTextFiles(this.folder));
    const matches = name.includes('*') ? picomatch(name) : (file: string) => file.startsWith(`${name}/`);
    const found = known.includes(name) ? [name] : known.filter((file) => matches(file));
    if (found.length > 0 || optional) return found;
    throw new ConfigError(
      `there is no wildcard __${name}__: no file ${name}.txt in ${displayPath(this.folder)}. ${suggestion(name, known.slice(0, 20))} For the text itself write '\\__${name}__'.`,
    );
  }
}

/** Names of the .txt files below `folder`, without extension, `/` between folders, sorted: the order is the same everywhere. */
async function listTextFiles(folder: string): Promise<string[]> {
  const entries = await fs.readdir(folder, { recursive: true }).catch((error: unknown) => {
    throw unreadable(folder, error);
  });
  return entries
    .filter((name) => name.endsWith('.txt'))
    .map((name) => name.slice(0, -'.txt'.length).replaceAll(path.sep, '/'))
    .sort();
}

function atLine<T>(file: string, line: number, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw error instanceof ConfigError
      ? new ConfigError(`${displayPath(file)}:${line}: ${error.message}`, { cause: error })
      : error;
  }
}
