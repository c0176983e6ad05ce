import path from 'node:path';
import { plural } from '../base/plural.js';
import { isBase64 } from '../base/base64.js';
import { ConfigError } from '../errors.js';
import { isScriptPicture } from '../loop/index.js';
import { explain } from './explain.js';
import { readLines } from './files.js';
import { mapStrings } from './paths.js';
import { displayPath } from './problems.js';
import { row as rowSchema, type Row } from './schema.js';

export const promptFileKinds = ['.txt', '.csv', '.jsonl'] as const;

/** A prompt of a prompt file and what its columns say. */
export interface FileRow {
  text: string;
  settings: Omit<Row, 'text' | 'prompt'>;
  /** `prompts.csv:7`, for messages. */
  place: string;
}

/**
 * The prompts of a file, read line by line and never held together. Empty lines do not count, nor do
 * lines of a .txt file that begin with `#`. Throws ConfigError with file and line for what is wrong.
 */
export async function* readRows(file: string): AsyncGenerator<FileRow> {
  const kind = path.extname(file).toLowerCase();
  if (kind === '.csv') yield* csvRows(file);
  else if (kind === '.jsonl') yield* jsonRows(file);
  else yield* textRows(file);
}

async function* textRows(file: string): AsyncGenerator<FileRow> {
  const name = displayPath(file);
  for await (const { text, number } of readLines(file)) {
    if (text.trim() === '' || text.startsWith('#')) continue;
    yield { text: text.replace(/^\\#/, '#').trim(), settings: {}, place: `${name}:${number}` };
  }
}

async function* jsonRows(file: string): AsyncGenerator<FileRow> {
  const name = displayPath(file);
  for await (const { text, number } of readLines(file)) {
    if (text.trim() === '') continue;
    const place = `${name}:${number}`;
    yield check(parseJson(text, place), place, path.dirname(file));
  }
}

/** Of a row: more than any has, and little enough to be looked at one by one. */
const mostValues = 10_000;
const deepest = 50;
const mostColumns = 1000;

/** Counted before they are made: a megabyte of brackets is a hundred of objects. */
function rejectBombs(text: string, place: string): void {
  let [values, depth] = [1, 0];
  // A string without an end goes up to the end: looking for it again from each quote in it would take hours.
  for (const [mark] of text.matchAll(/"[^"\\]*(?:\\[^]?[^"\\]*)*(?:"|$)|[[{\]},]/g)) {
    if (mark === '[' || mark === '{') depth++;
    else if (mark === ']' || mark === '}') depth--;
    if (mark === ',' || mark === '[' || mark === '{') values++;
    if (depth > deepest)
      throw new ConfigError(`${place}: the values are nested deeper than ${deepest}, too deeply to be read.`);
    if (values > mostValues) throw new ConfigError(`${place}: a row holds at most ${mostValues} values.`);
  }
}

function parseJson(text: string, place: string): unknown {
  rejectBombs(text, place);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new ConfigError(
      `${place}: not valid JSON: ${(error as Error).message}. A .jsonl file has one object on each line.`,
    );
  }
}

async function* csvRows(file: string): AsyncGenerator<FileRow> {
  const name = displayPath(file);
  let header: string[] | undefined;
  for await (const { cells, number } of csvRecords(file)) {
    const place = `${name}:${number}`;
    if (!header) {
      header = cells.map((cell) => cell.trim());
      if (header.length > mostColumns)
        throw new ConfigError(`${place}: ${header.length} columns; at most ${mostColumns} are read.`);
      const twice = header.find((name, index) => header?.indexOf(name) !== index);
      if (twice !== undefined)
        throw new ConfigError(`${place}: the column '${twice}' is there twice. Keep one of them.`);
      continue;
    }
    if (cells.length > header.length) {
      throw new ConfigError(
        `${place}: ${plural(cells.length, 'cell')} for ${plural(header.length, 'column')}. Put quotes around a cell with a comma in it.`,
      );
    }
    const entries = header.map((name, index): [string, unknown] => [
      name,
      cellValue(name, cells[index] ?? '', place),
    ]);
    const filled = entries.filter(([, value]) => value !== undefined);
    if (filled.length > 0) yield check(Object.fromEntries(filled), place, path.dirname(file));
  }
}

const textColumns = new Set([
  'text',
  'prompt',
  'name',
  'negative_prompt',
  'sampler',
  'scheduler',
  'checkpoint',
  'vae',
  'init_image',
  'mask',
]);

/** An empty cell leaves its column out. Numbers, true, false, lists and mappings are written as in JSON. */
function cellValue(column: string, cell: string, place: string): unknown {
  if (cell.trim() === '') return undefined;
  if (textColumns.has(column)) return cell;
  rejectBombs(cell, place);
  try {
    return JSON.parse(cell) as unknown;
  } catch {
    return cell;
  }
}

function check(raw: unknown, place: string, folder: string): FileRow {
  const parsed = rowSchema.safeParse(raw);
  if (!parsed.success) {
    const messages = explain(parsed.error.issues, raw).map(({ message }) => message);
    throw new ConfigError(`${place}: ${messages.join(' ').replaceAll('the pipeline', 'the row')}`);
  }
  const { text, prompt, ...settings } = parsed.data;
  mapStrings([settings.a1111 ?? null, settings.comfyui ?? null], [], (value) => {
    if (!isBase64(value)) return value;
    throw new ConfigError(
      `${place}: a picture in base64 would be kept with every attempt. Write it in the pipeline, under a1111 or comfyui of the prompt that names this file.`,
    );
  });
  for (const key of ['init_image', 'mask'] as const) {
    const image = settings[key];
    if (image !== undefined) settings[key] = path.resolve(folder, image);
  }
  const { a1111 } = settings;
  if (a1111)
    settings.a1111 = mapStrings(a1111, [], (text, [key]) =>
      key === 'alwayson_scripts' && isScriptPicture(text) ? path.resolve(folder, text) : text,
    ) as typeof a1111;
  return { text: text ?? prompt ?? '', settings, place };
}

const longestRecord = 1_000_000;

/** Records of a CSV file as in RFC 4180: quoted cells may hold commas, line ends and doubled quotes. */
async function* csvRecords(file: string): AsyncGenerator<{ cells: string[]; number: number }> {
  let record = '';
  let number = 0;
  let open = false;
  for await (const line of readLines(file)) {
    record = open ? `${record}\n${line.text}` : line.text;
    if (!open) number = line.number;
    // An odd number of quotes: a quoted cell begins here and goes on in the next line, or ends here.
    if (line.text.split('"').length % 2 === 0) open = !open;
    if (open && record.length > longestRecord) break;
    if (!open && record.trim() !== '') yield { cells: splitRecord(record), number };
  }
  if (open)
    throw new ConfigError(`${displayPath(file)}:${number}: a quote " is opened here and never closed.`);
}

const cellPattern = /\s*"((?:[^"]|"")*)"\s*(?:,|$)|([^,]*)(?:,|$)/gy;

function splitRecord(text: string): string[] {
  const cells: string[] = [];
  cellPattern.lastIndex = 0;
  while (cellPattern.lastIndex < text.length) {
    const match = cellPattern.exec(text);
    if (!match) break;
    cells.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
  }
  return cells;
}
