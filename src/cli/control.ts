import { join } from 'node:path';
import { plural } from '../base/plural.js';
import { homeOf, withService, type RunStatus, type Service } from '../runtime/index.js';
import { isOver, openOf } from '../loop/index.js';
import { printEvents } from './events.js';
import { exitCodes } from './exit.js';
import { duration, printJson, say, table, warn } from './print.js';

export type ControlName = 'pause' | 'unpause' | 'cancel';

export async function listRuns(options: { json?: boolean }): Promise<number> {
  const runs = await withService(homeOf(process.env), (service) => service.runs(), warn);
  if (options.json) printJson(runs);
  else say(runs.length === 0 ? 'no runs yet' : listing(runs));
  return exitCodes.done;
}

/** Asks or tells about one run, and prints how it stands then. */
export async function control(
  name: ControlName,
  run: string | undefined,
  options: { json?: boolean },
): Promise<number> {
  print(await withService(homeOf(process.env), (service) => service[name](run), warn), options);
  return exitCodes.done;
}

/** Writes the report of a run as it stands now. */
export async function report(run: string | undefined, { json }: { json?: boolean }): Promise<number> {
  const written = await withService(homeOf(process.env), (service) => service.report(run), warn);
  const { isOver } = written;
  if (json) printJson(written);
  else
    say(`${written.file}${isOver ? '' : `\n  ${written.run} is not over: it says how the run stands now.`}`);
  return exitCodes.done;
}

/** Prints how a run stands, or what happened in it. */
export async function status(
  run: string | undefined,
  { events, ...options }: { events?: boolean; json?: boolean },
): Promise<number> {
  await withService(
    homeOf(process.env),
    async (service) => {
      const found = await service.status(run);
      if (events) await printEvents(service, found.run, options.json ?? false);
      else print({ ...found, missing: await service.missing(found.run) }, options);
    },
    warn,
  );
  return exitCodes.done;
}

type Status = RunStatus & { missing?: Awaited<ReturnType<Service['missing']>> };

function print(status: Status, { json }: { json?: boolean }): void {
  if (json) printJson(status);
  else say(describe(status));
}

function listing(runs: RunStatus[]): string {
  return table(
    ['run', 'state', 'shots', 'accepted', 'exhausted', 'failed', 'attempts', 'started'],
    runs.map((run) => [
      run.run,
      run.state,
      run.shots,
      run.accepted,
      run.exhausted,
      run.failed,
      run.attempts,
      run.createdAt.slice(0, 16).replace('T', ' '),
    ]),
  );
}

function describe(status: Status): string {
  const pace = [
    status.attemptsPerImage !== undefined && `${status.attemptsPerImage.toFixed(2)} attempts per image`,
    status.shotsPerMinute !== undefined && `${status.shotsPerMinute.toFixed(1)} shots/min`,
    status.etaSeconds !== undefined && `ETA ${duration(status.etaSeconds)}`,
  ].filter((part) => part !== false);
  return [
    `${status.run}  ${status.state}`,
    `  shots      ${status.shots}: ${status.accepted} accepted, ${status.exhausted} exhausted, ${status.failed} failed, ${status.cancelled} cancelled, ${openOf(status)} open`,
    `  attempts   ${status.attempts} judged, ${status.rejected} rejected, ${status.due} due, ${status.generated} waiting for a verdict`,
    ...(status.review > 0
      ? [`  review     ${plural(status.review, 'image')} in ${join(status.outputDir, 'review')}`]
      : []),
    ...(pace.length > 0 ? [`  pace       ${pace.join(', ')}`] : []),
    `  output     ${status.outputDir}`,
    ...(status.report === undefined ? [] : [`  report     ${status.report}`]),
    ...missingLines(status),
    ...(status.state === 'interrupted' ? [`  To go on: reroll resume ${status.run}`] : []),
  ].join('\n');
}

function missingLines({ run, state, missing }: Status): string[] {
  if (!missing || missing.images === 0) return [];
  const { images, files } = missing;
  return [
    `  missing    ${plural(images, 'published image')}: \`reroll retry ${run} --missing\` makes ${images === 1 ? 'it' : 'them'} again${isOver(state) ? '' : ' when the run is over'}`,
    ...files.map((file) => `             ${file}`),
    ...(images > files.length ? [`             and ${images - files.length} more`] : []),
  ];
}
