import { CommanderError } from 'commander';
import type { RunSummary } from '../runtime/index.js';
import { inWords } from '../base/storage.js';
import { RerollError, toError } from '../errors.js';
import { UnreadError, warn } from './print.js';

/** What a command's exit status says. The README lists them. */
export const exitCodes = {
  done: 0,
  /** Done, but some shots are exhausted or failed, or a check found something. */
  found: 1,
  /** Could not run: bad config, server or model missing. */
  unable: 2,
  /** Interrupted; `reroll resume` goes on. */
  interrupted: 130,
} as const;

export function exitCodeOf(summary: RunSummary): number {
  if (summary.state === 'running' || summary.state === 'paused') return exitCodes.interrupted;
  return summary.accepted === summary.shots ? exitCodes.done : exitCodes.found;
}

/**
 * Whoever reads may leave, as in `reroll ... | head`, or their disk may be full: no run ends for it. What should have
 * been printed was not, so it is no success either.
 */
export function outliveReaders(): void {
  process.stdout.on('error', () => {
    process.on('exit', () => {
      process.exitCode ||= exitCodes.interrupted;
    });
  });
  process.stderr.on('error', () => undefined);
}

/** Tells a failure and gives its exit status. A failure that nobody foresaw is a bug and shows its stack. */
export function tellFailure(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.done : exitCodes.unable;
  const error = toError(inWords(thrown));
  // Ctrl-C before there was anything to resume.
  if (error.name === 'AbortError' || error instanceof UnreadError) return exitCodes.interrupted;
  if (error instanceof RerollError) warn(`reroll: ${error.message}`);
  else warn(`reroll: this is a bug, please report it:\n${error.stack ?? error.message}`);
  return exitCodes.unable;
}
