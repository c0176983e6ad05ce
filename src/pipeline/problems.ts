import path from 'node:path';
import { ConfigError, redact } from '../errors.js';

/** A text that a person wrote: a YAML file, a prompt file, or what followed `--set`. */
export interface Source {
  /** What to call it: an absolute path, or `--set`. */
  name: string;
  text: string;
}

/** A stretch of a source, as offsets into its text. */
export interface Spot {
  source: Source;
  start: number;
  end: number;
}

/** Something wrong with what the user wrote: what, where, and what to do. */
export interface Problem {
  message: string;
  spot?: Spot | undefined;
}

const mostShown = 20;

/** One error for all problems of one reading, in the order of the files' lines. */
export function configError(problems: readonly Problem[]): ConfigError {
  const shown = problems.toSorted(byPlace).slice(0, mostShown).map(render);
  const more = problems.length - shown.length;
  if (more > 0) shown.push(`... and ${more} more`);
  if (problems.length > 1) shown.unshift(`${problems.length} problems`);
  return new ConfigError(shown.join('\n\n').replace(/[^\P{Cc}\n]/gu, ' '));
}

const byPlace = (a: Problem, b: Problem): number =>
  a.spot && b.spot && a.spot.source === b.spot.source ? a.spot.start - b.spot.start : 0;

function render({ message, spot }: Problem): string {
  if (!spot) return message;
  if (spot.source.name === '--set') return `--set ${spot.source.text}: ${message}`;
  const { line, column } = placeOf(spot);
  return `${displayPath(spot.source.name)}:${line}:${column}: ${message}\n${frame(spot)}`;
}

function placeOf({ source, start }: Spot): { line: number; column: number } {
  const before = source.text.slice(0, start);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: start - lineStart + 1 };
}

/** The line in question with two lines before it, one after it, and a row of `^` below the place. */
function frame(spot: Spot): string {
  const lines = spot.source.text.split(/\r?\n/);
  const { line, column } = placeOf(spot);
  const first = Math.max(1, line - 2);
  const last = Math.min(lines.length, line + 1);
  const gutter = String(last).length;
  const shown: string[] = [];
  for (let number = first; number <= last; number++) {
    const text = lines[number - 1] ?? '';
    if (number > line && text.trim() === '') continue;
    const before = redact(text.slice(0, column - 1)).length;
    // A place far to the right of a very long line is shown with what stands around it.
    const cut = number === line && before > 80 ? before - 60 : 0;
    const numbered = `  ${String(number).padStart(gutter)} | `;
    shown.push((numbered + plain(redact(text).slice(cut, cut + 110))).trimEnd());
    if (number !== line) continue;
    const width = Math.min(Math.max(1, spot.end - spot.start), Math.max(1, text.length - column + 1), 60);
    shown.push(`  ${' '.repeat(gutter)} | ${' '.repeat(before - cut)}${'^'.repeat(width)}`);
  }
  return shown.join('\n');
}

/** Control characters could move the terminal's cursor: shown as a blank. */
const plain = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');

/** A path as one would type it here. */
export function displayPath(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative === '' || relative.startsWith('..') ? file : relative;
}

/** A value as a message quotes it: on one line and not too long. */
export function quote(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = plain(typeof value === 'string' ? `'${value}'` : JSON.stringify(value));
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
