import { once } from 'node:events';
import { styleText } from 'node:util';
import { visible, visibleJson } from '../base/visible.js';

type Style = Parameters<typeof styleText>[0];

/** Colour only where a person looks: a terminal, and no NO_COLOR. */
export function styled(stream: NodeJS.WriteStream, style: Style, text: string): string {
  const plain = !stream.isTTY || process.env.NO_COLOR !== undefined;
  return plain ? text : styleText(style, text);
}

/**
 * A line to stdout. What people read leaves through here, `warn`, `writeOut` and the live display alone: there it is made
 * `visible`. `mark`: our own, which may have colours.
 */
export function say(text: string, mark = ''): void {
  process.stdout.write(`${mark}${visible(text)}\n`);
}

/** A line to stderr. */
export function warn(text: string): void {
  process.stderr.write(`${visible(text)}\n`);
}

/** The one machine-readable object of `--json`. */
export function printJson(value: unknown): void {
  process.stdout.write(visibleJson(value) + '\n');
}

/** Rows as aligned columns; numbers to the right. */
export function table(header: string[], rows: (string | number)[][]): string {
  const all = [header, ...rows].map((row) =>
    row.map((cell) => (typeof cell === 'number' ? cell : visible(cell))),
  );
  const widths = header.map((_, column) => Math.max(...all.map((row) => String(row[column] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return typeof cell === 'number' ? String(cell).padStart(width) : cell.padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

/** Nobody takes what should be printed: there is no use in going on with it. */
export class UnreadError extends Error {
  override readonly name = 'UnreadError';
}

/**
 * Writes to stdout as fast as the reader takes it: a listing of 100,000 lines is not held in memory. Throws
 * UnreadError where the reader has left.
 */
export async function writeOut(text: string): Promise<void> {
  const { stdout } = process;
  if (stdout.destroyed || stdout.errored) throw new UnreadError('nobody reads the output');
  if (stdout.write(visible(text))) return;
  await once(stdout, 'drain').catch((cause: unknown) => {
    throw new UnreadError('nobody reads the output', { cause });
  });
}
