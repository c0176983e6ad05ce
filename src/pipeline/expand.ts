import { ConfigError } from '../errors.js';
import { seedFor, type ImageRequest, type Shot } from '../loop/index.js';
import { tagsMissing } from './check.js';
import { displayPath } from './problems.js';
import type { Pipeline } from './pipeline.js';
import { Renderer } from './render.js';
import { readRows, type FileRow } from './rows.js';
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
  matrix: Settings[];
  /** For messages. */
  place: string;
}

/**
 * The shots of a pipeline, in the order of its prompts; within a prompt every combination of its matrix (in the
 * order of settings.ts, the last key changing fastest: the order of a mapping's keys must not matter, since
 * a database may not keep it), and of each as many as `count` says. Each shot makes its own choices. The same
 * `seed` gives the same shots. Streamed: prompt files are read while the shots are taken.
 */
export async function* expandShots(pipeline: Pipeline, seed: number): AsyncGenerator<Shot> {
  const wildcards = new Wildcards(pipeline.wildcards);
  const prompts = new Templates();
  const negatives = new Templates();
  let index = 0;
  for await (const source of sources(pipeline)) {
    try {
      const prompt = prompts.of(source.text);
      await wildcards.prepare(prompt);
      for (const combination of source.matrix) {
        const settings = { ...pipeline.generate, ...source.settings, ...combination };
        if (settings.mask !== undefined && settings.init_image === undefined)
          throw new ConfigError(lonelyMask);
        const negative = negatives.of(settings.negative_prompt);
        await wildcards.prepare(negative);
        for (let copy = 0; copy < source.count; copy++) {
          index += 1;
          // Attempts count from 1, so that 0 gives the choices a seed that no image has.
          const renderer = new Renderer(wildcards, seedFor(seed, index, 0));
          yield {
            index,
            prompt: source.name,
            request: {
              ...settings,
              prompt: renderer.render(prompt),
              negative_prompt: renderer.render(negative),
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
}

const lonelyMask = "a mask needs an 'init_image' to be painted on. Name one, or take the mask out.";

/** Every prompt of the pipeline, those of prompt files among them. */
async function* sources(pipeline: Pipeline): AsyncGenerator<Source> {
  let place = 0;
  for (const [index, prompt] of pipeline.prompts.entries()) {
    const { text, file, name, count = 1, priority = 0, tags = [], matrix = {}, ...settings } = prompt;
    const common = { count, priority, tags, matrix: combinations(matrix) };
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
      yield fromRow(row, { ...common, name: called, text: '', settings, place: row.place }, pipeline);
    }
    if (rows === 0)
      throw new ConfigError(`${displayPath(file)} has no prompts in it. Write one on each line.`);
  }
}

function fromRow({ text, settings: row, place }: FileRow, prompt: Source, pipeline: Pipeline): Source {
  const {
    name = prompt.name,
    count = prompt.count,
    priority = prompt.priority,
    tags = prompt.tags,
    ...settings
  } = row;
  const lack = tagsMissing(tags, pipeline.backends);
  if (lack) throw new ConfigError(`${place}: ${lack}`);
  return { ...prompt, name, count, priority, tags, text, settings: { ...prompt.settings, ...settings } };
}

/** Every combination of one value from each list; a single empty one where there are no lists. */
function combinations(matrix: NonNullable<Prompt['matrix']>): Settings[] {
  return Object.entries(matrix).reduce<Settings[]>(
    (sofar, [key, values]) =>
      sofar.flatMap((settings) => values.map((value) => ({ ...settings, [key]: value }))),
    [{}],
  );
}

/** Parsed templates. Most negative prompts are the same text for thousands of rows. */
class Templates {
  private last: { text: string; template: Template } | undefined;

  of(text: string): Template {
    if (this.last?.text !== text) this.last = { text, template: parseTemplate(text) };
    return this.last.template;
  }
}
