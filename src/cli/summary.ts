import { relative } from 'node:path';
import { plural } from '../base/plural.js';
import type { RunSummary } from '../runtime/index.js';
import { duration, percent } from './print.js';
import { resumeHint } from './resume-hint.js';

/** The end of a run in words, for people. */
export function summarise(summary: RunSummary): string {
  const { run, state, shots, accepted, exhausted, failed, cancelled } = summary;
  const lines = [
    `${run} ${state === 'running' ? 'interrupted' : state}: ${accepted} of ${plural(shots, 'shot')} accepted after ${effort(summary)}`,
  ];
  const rest = [
    exhausted > 0 && `${exhausted} exhausted (no attempt was right within the budget)`,
    failed > 0 && `${failed} failed (the report ${summary.report ? 'says' : 'will say'} why)`,
    cancelled > 0 && `${cancelled} cancelled`,
    summary.review > 0 && `${plural(summary.review, 'image')} in review, for you to look at`,
  ].filter((part) => part !== false);
  if (rest.length > 0) lines.push(`  ${rest.join(', ')}`);
  if (summary.truth) lines.push(...truthLines(summary.truth));
  lines.push(`  images    ${near(summary.outputDir)}`);
  if (summary.manifest) lines.push(`  manifest  ${near(summary.manifest)}`);
  if (summary.report) lines.push(`  report    ${near(summary.report)}`);
  if (state === 'running' || state === 'paused') lines.push(`  ${resumeHint(run, summary.home)}`);
  else if (failed > 0) lines.push(`  When the cause is mended: reroll retry ${run} --failed`);
  return lines.join('\n');
}

/** The seconds are those of this process, so the attempts of the ones before it are told apart. */
function effort({ attempts, attemptsBefore = 0, seconds }: RunSummary): string {
  const all = plural(attempts, 'attempt');
  return attemptsBefore === 0
    ? `${all} in ${duration(seconds)}`
    : `${all}, ${attempts - attemptsBefore} of them in the ${duration(seconds)} since it was resumed`;
}

function truthLines(truth: NonNullable<RunSummary['truth']>): string[] {
  const share = (bad: number, all: number) =>
    all === 0 ? 'none' : `${bad} of ${all} (${percent(bad / all)})`;
  return [
    '  The sketch servers know what they drew (drawings, not a diffusion model):',
    `    really bad among the accepted  ${share(truth.badAccepted, truth.accepted)}`,
    `    without a gate                 ${share(truth.badFirstAttempts, truth.firstAttempts)}`,
  ];
}

/** A path as people read it: below the current folder without the part that they know. */
function near(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') || short === '' ? path : short;
}
