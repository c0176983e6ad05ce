import { setImmediate } from 'node:timers/promises';
import { ConfigError } from '../errors.js';
import { seedFor, type ImageRequest, type Shot } from '../loop/index.js';
import { tagsMissing } from './check.js';
import { escapeVariables } from './environment.js';
import { displayPath } from './problems.js';
import { mapStrings } from './paths.js';
import { RowPictures } from './pictures.js';
import type { Pipeline } from './pipeline.js';
import { Renderer } from './render.js';
import { readRows, type FileRow } from './rows.js';
import { mostShots, shotsOf, tooManyShots } from './size.js';
import { settings as inOrder } from './settings.js';
import { StartImages } from './start-images.js';
import { parseTemplate, type Template } from './template.js';
import { Wildcards } from './wildcards.js';

type Prompt = Pipeline['prompts'][number];
type Settings = Partial<Omit<ImageRequest, 'prompt'>>;

/** A prompt with all that was said about it, the nearest word last: file row over prompt over `generate`. */
interface Source {
  name: string;
  text: string;
  settings: Settings;
  count: number;
  priority: number;
  tags: string[];
  matrix: NonNullable<Prompt['matrix']>;
  /** What a row of a table says; absent where the prompt stands in the pipeline. */
  row?: Settings;
  /** For messages. */
  place: string;
}

/** What an expansion may be told besides. */
export interface ExpandOptions {
  /** Ends it: by what it was aborted with. */
  signal?: AbortSignal;
  /** Hears, once each, of what looks like grammar in a prompt and is sent as it is. */
  onNote?: (note: string) => void;
}

/** How long the shots may keep the process to themselves: signals and timers wait so long. */
const longestTurnMs = 20;

/**
 * The shots of a pipeline, in the order of its prompts; within a prompt every combination of its matrix (in the
 * order of settings.ts, the last key changing fastest: the order of a mapping's keys must not matter, since
 * a database may not keep it), and of each as many as `count` says. Each shot makes its own choices. The same
 * `seed` gives the same shots. Streamed: prompt files are read while the shots are taken.
 */
export async function* expandShots(
  pipeline: Pipeline,
  seed: number,
  { signal, onNote }: ExpandOptions = {},
): AsyncGenerator<Shot> {
  const notes = new Notes(onNote);
  const environment = new Set(pipeline.environment.keys());
  const wildcards = new Wildcards(pipeline.wildcards, environment, notes.add);
  const prompts = new Templates();
  const negatives = new Templates();
  const starts = new StartImages(notes.add);
  let index = 0;
  let turn = performance.now();
  for await (const source of sources(pipeline)) {
    try {
      const said = { ...pipeline.generate, ...source.settings, ...source.row };
      const matrix = await withPictures(source.matrix, said.init_image, starts);
      const shots = shotsOf({ ...source, matrix });
      if (index + shots > mostShots) throw new ConfigError(tooManyShots(index + shots));
      const prompt = prompts.of(source.text, source.row ? noVariables : environment);
      await wildcards.prepare(prompt);
      for (const note of prompt.notes) notes.add(`${source.place}: ${note}`);
      for (const combination of combinations(Object.entries(matrix))) {
        const settings = { ...said, ...combination };
        if (settings.mask !== undefined && settings.init_image === undefined)
          throw new ConfigError(lonelyMask);
        const isOfRow =
          source.row?.negative_prompt !== undefined && combination.negative_prompt === undefined;
        const { negative_prompt: negativeText } = settings;
        const negative =
          negativeText === undefined
            ? undefined
            : negatives.of(negativeText, isOfRow ? noVariables : environment);
        if (negative) {
          await wildcards.prepare(negative);
          for (const note of negative.notes) notes.add(`negative_prompt: ${note}`);
        }
        for (let copy = 0; copy < source.count; copy++) {
          if (performance.now() - turn > longestTurnMs) {
            await setImmediate();
            turn = performance.now();
          }
          signal?.throwIfAborted();
          index += 1;
          // Attempts count from 1, so that 0 gives the choices a seed that no image has.
          const renderer = new Renderer(wildcards, seedFor(seed, index, 0), environment);
          yield {
            index,
            prompt: source.name,
            request: {
              ...settings,
              prompt: renderer.render(prompt),
              ...(negative && { negative_prompt: renderer.render(negative) }),
              seed: settings.seed === undefined ? seedFor(seed, index, 1) : (settings.seed + copy) % 2 ** 32,
            },
            priority: source.priority,
            tags: source.tags,
          };
        }
      }
    } catch (error) {
      throw error instanceof ConfigError
        ? new ConfigError(`${source.place}: ${error.message}`, { cause: error })
        : error;
    }
  }
  notes.end();
}

/** The matrix with every picture that `init_image` names there: of a folder, each is a value of its own. */
async function withPictures(
  matrix: Source['matrix'],
  start: string | undefined,
  starts: StartImages,
): Promise<Source['matrix']> {
  const named = matrix.init_image ?? (start === undefined ? [] : [start]);
  if (named.length === 0) return matrix;
  const found = await Promise.all(named.map((place) => starts.of(place)));
  const all: Source['matrix'] = { ...matrix, init_image: found.flat() };
  const keys = Object.keys(inOrder).filter((key) => key in all);
  return Object.fromEntries(keys.map((key) => [key, all[key as keyof typeof all]]));
}

const lonelyMask = "a mask needs an 'init_image' to be painted on. Name one, or take the mask out.";

/** Every prompt of the pipeline, those of prompt files among them. */
async function* sources(pipeline: Pipeline): AsyncGenerator<Source> {
  const pictures = new RowPictures(pipeline);
  let place = 0;
  for (const [index, prompt] of pipeline.prompts.entries()) {
    const { text, file, name, count = 1, priority = 0, tags = [], matrix = {}, ...settings } = prompt;
    const common = { count, priority, tags, matrix };
    if (text !== undefined) {
      place += 1;
      yield { ...common, name: name ?? `p${place}`, text, settings, place: `prompts.${index}` };
      continue;
    }
    if (file === undefined) continue;
    let rows = 0;
    for await (const row of readRows(file)) {
      place += 1;
      rows += 1;
      const called = name === undefined ? `p${place}` : `${name}-${rows}`;
      await pictures.check(row);
      yield fromRow(row, { ...common, name: called, text: '', settings, place: row.place }, pipeline);
    }
    if (rows === 0)
      throw new ConfigError(`${displayPath(file)} has no prompts in it. Write one on each line.`);
  }
}

function fromRow({ text, settings, place }: FileRow, prompt: Source, pipeline: Pipeline): Source {
  const {
    name = prompt.name,
    count = prompt.count,
    priority = prompt.priority,
    tags = prompt.tags,
    ...row
  } = settings;
  const lack = tagsMissing(tags, pipeline.backends);
  if (lack) throw new ConfigError(`${place}: ${lack}`);
  // A table may come from anywhere: it must not get at the variables that the pipeline uses.
  for (const key of ['a1111', 'comfyui'] as const) {
    const fields = row[key];
    if (fields)
      row[key] = mapStrings(fields, [], (text) =>
        escapeVariables(text, pipeline.environment),
      ) as typeof fields;
  }
  return { ...prompt, name, count, priority, tags, text, row };
}

/** Every combination of one value from each list; a single empty one where there are no lists. */
function* combinations(lists: [string, unknown[]][], settings: Settings = {}): Generator<Settings> {
  const [first, ...rest] = lists;
  if (!first) yield settings;
  else for (const value of first[1]) yield* combinations(rest, { ...settings, [first[0]]: value });
}

const noVariables: ReadonlySet<string> = new Set();

/** Parsed templates. Most negative prompts are the same text for thousands of rows. */
class Templates {
  #last: { text: string; environment: ReadonlySet<string>; template: Template } | undefined;

  of(text: string, environment: ReadonlySet<string>): Template {
    if (this.#last?.text !== text || this.#last.environment !== environment)
      this.#last = { text, environment, template: parseTemplate(text, environment) };
    return this.#last.template;
  }
}

const mostNotes = 20;

/** Tells each note once, and of very many how many more there are. */
class Notes {
  readonly #told = new Set<string>();
  #more = 0;

  readonly #tell: (note: string) => void;

  constructor(tell: (note: string) => void = () => undefined) {
    this.#tell = tell;
  }

  readonly add = (note: string): void => {
    if (this.#told.has(note)) return;
    if (this.#told.size === mostNotes) this.#more++;
    else {
      this.#told.add(note);
      this.#tell(note);
    }
  };

  end(): void {
    if (this.#more > 0) this.#tell(`... and ${this.#more} more`);
  }
}
