import { CommanderError } from 'commander';
import type { RunSummary } from '../runtime/index.js';
import { RerollError, toError } from '../errors.js';

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

/** Tells a failure and gives its exit status. A failure that nobody foresaw is a bug and shows its stack. */
export function tellFailure(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.done : exitCodes.unable;
  const error = toError(thrown);
  // Ctrl-C before there was anything to resume.
  if (error.name === 'AbortError') return exitCodes.interrupted;
  if (error instanceof RerollError) process.stderr.write(`reroll: ${error.message}\n`);
  else process.stderr.write(`reroll: this is a bug, please report it:\n${error.stack ?? error.message}\n`);
  return exitCodes.unable;
}
