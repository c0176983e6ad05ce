import fs from 'node:fs/promises';
import path from 'node:path';
import { ConfigError } from '../errors.js';
import { readText, unreadable } from './files.js';
import { foreignWildcard } from './foreign.js';
import { matchesGlob } from './glob.js';
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

const mostBytes = 16_000_000;
/** Deeper chains of wildcards in wildcards are surely a mistake. */
const deepest = 50;

/** The wildcard files of a pipeline. Each is read when a prompt first needs it, and kept. */
export class Wildcards {
  #files: Promise<Map<string, string>> | undefined;
  readonly #byName = new Map<string, Choice>();
  readonly #byFile = new Map<string, Option[]>();

  /** `onNote` hears of what looks like a wildcard, or like grammar in a line of one, and stays as it is. */
  readonly #folder: string | undefined;
  readonly #environment: ReadonlySet<string>;
  readonly #onNote: (note: string) => void;

  constructor(
    folder: string | undefined,
    environment: ReadonlySet<string> = new Set(),
    onNote: (note: string) => void = () => undefined,
  ) {
    this.#folder = folder;
    this.#environment = environment;
    this.#onNote = onNote;
  }

  /** Reads whatever `template` needs. Throws ConfigError for a wildcard that is missing, empty or in a circle. */
  async prepare({ wildcards }: Pick<Template, 'wildcards'>): Promise<void> {
    for (const part of wildcards) if (!this.#byName.has(part.wildcard)) await this.#load(part, []);
  }

  /** The lines of a wildcard that `prepare` has seen; nothing for an optional one that does not exist. */
  choice(name: string): Choice | undefined {
    return this.#byName.get(name);
  }

  /** `open` are the files whose lines led here, each with the name it was called by. */
  async #load(part: WildcardPart, open: readonly { name: string; file: string }[]): Promise<void> {
    const files = await this.#find(part);
    const options: Option[] = [];
    for (const file of files) {
      const first = open.findIndex((other) => other.file === file);
      if (first >= 0) {
        const circle = [...open.slice(first).map(({ name }) => name), part.wildcard].map(
          (name) => `__${name}__`,
        );
        throw new ConfigError(`wildcards go in a circle: ${circle.join(' -> ')}. Take one of them out.`);
      }
      if (open.length === deepest)
        throw new ConfigError(`wildcards are nested deeper than ${deepest}: __${part.wildcard}__.`);
      options.push(
        ...(this.#byFile.get(file) ?? (await this.#read(file, [...open, { name: part.wildcard, file }]))),
      );
    }
    if (files.length > 0) this.#byName.set(part.wildcard, choiceOf(options));
  }

  async #read(name: string, open: readonly { name: string; file: string }[]): Promise<Option[]> {
    const file = path.join(this.#folder ?? '', `${name}.txt`);
    const place = displayPath(file);
    const text = await readText(file, mostBytes, 'Split it into several files in one folder.');
    const options: Option[] = [];
    for (const [index, line] of text.split(/\r?\n/).entries()) {
      if (line.trim() === '' || line.startsWith('#')) continue;
      const { option, wildcards, notes } = atLine(file, index + 1, () =>
        parseLine(line.replace(/^\\#/, '#').trim(), this.#environment),
      );
      options.push(option);
      for (const note of notes) this.#onNote(`${place}:${index + 1}: ${note}`);
      for (const part of wildcards) if (!this.#byName.has(part.wildcard)) await this.#load(part, open);
    }
    if (!options.some(({ weight }) => weight > 0)) {
      throw new ConfigError(`the wildcard file ${displayPath(file)} has no lines to choose from.`);
    }
    this.#byFile.set(name, options);
    return options;
  }

  /** The files that `__name__` stands for: that one, or all in that folder, or all that a glob matches. */
  async #find({ wildcard, missing }: WildcardPart): Promise<string[]> {
    const name = wildcard.normalize('NFC');
    const known = await (this.#files ??= listTextFiles(this.#folder));
    const one = known.get(name);
    if (one !== undefined) return [one];
    const matches = name.includes('*')
      ? (file: string) => matchesGlob(name, file)
      : (file: string) => file.startsWith(`${name}/`);
    const found = [...known].filter(([file]) => matches(file)).map(([, file]) => file);
    if (found.length > 0 || missing === 'nothing') return found;
    if (missing === 'note') {
      this.#onNote(`'__${name}__' is no wildcard's name, and stays as it is.`);
      return found;
    }
    const foreign = foreignWildcard(name);
    if (foreign !== undefined) throw new ConfigError(`at '__${name}__': ${foreign}`);
    throw new ConfigError(
      this.#folder === undefined
        ? `__${name}__ is a wildcard, and the pipeline names no folder of wildcards. Add 'wildcards: ./wildcards', or write '\\__${name}__' for the text itself.`
        : `there is no wildcard __${name}__: no file ${name}.txt in ${displayPath(this.#folder)}. ${suggestion(name, [...known.keys()].slice(0, 20))} For the text itself write '\\__${name}__'.`,
    );
  }
}

/**
 * The .txt files below `folder`: their names without extension, `/` between folders, as they are called and (the key)
 * with letters and accents joined, as people type them. In the order of the keys: the same everywhere.
 */
async function listTextFiles(folder: string | undefined): Promise<Map<string, string>> {
  if (folder === undefined) return new Map();
  const entries = await fs.readdir(folder, { recursive: true }).catch((error: unknown) => {
    throw unreadable(folder, error);
  });
  const names = entries
    .filter((name) => name.endsWith('.txt'))
    .map((name) => name.slice(0, -'.txt'.length).replaceAll(path.sep, '/'))
    .map((name): [string, string] => [name.normalize('NFC'), name]);
  return new Map(names.sort(([a], [b]) => (a < b ? -1 : 1)));
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
