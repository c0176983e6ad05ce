import type { Command } from 'commander';
import { askControl, homeOf, type RunStatus } from '../runtime/index.js';
import { exitCodes } from './exit.js';
import { duration, printJson, table } from './print.js';

/** `status`, `runs`, `pause`, `unpause`, `cancel`: of the process that holds the state folder, or of the folder itself. */
export function addControlCommands(program: Command, exit: (code: number) => void): void {
  const where =
    '\nLooks in REROLL_HOME, or in .reroll below the current folder. Works beside a running `reroll run`.';

  program
    .command('runs')
    .description('list the runs, newest first')
    .option('--json', 'print a JSON array')
    .addHelpText('after', where)
    .action(async (options: { json?: boolean }) => {
      const runs = await askControl(homeOf(process.env), (control) => control.runs(), warn);
      if (options.json) printJson(runs);
      else process.stdout.write(`${runs.length === 0 ? 'no runs yet' : listing(runs)}\n`);
      exit(exitCodes.done);
    });

  const about = (name: 'status' | 'pause' | 'unpause' | 'cancel', description: string, argument: string) =>
    program
      .command(name)
      .description(description)
      .argument(argument, 'the run, as `reroll runs` lists it')
      .option('--json', 'print a JSON object')
      .addHelpText('after', `${where}\n\nExample:\n  $ reroll ${name} portraits-3`)
      .action(async (run: string | undefined, options: { json?: boolean }) => {
        const status = await askControl(homeOf(process.env), (control) => control[name](run as string), warn);
        if (options.json) printJson(status);
        else process.stdout.write(`${describe(status)}\n`);
        exit(exitCodes.done);
      });
  about('status', 'say where a run stands (left out: the newest)', '[run]');
  about('pause', 'send nothing more to the servers until `unpause`', '<run>');
  about('unpause', 'go on with a paused run', '<run>');
  about('cancel', 'end a run, and stop what the servers do for it', '<run>');
}

const warn = (message: string): void => void process.stderr.write(`${message}\n`);

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

function describe(status: RunStatus): string {
  const open = status.shots - status.accepted - status.exhausted - status.failed - status.cancelled;
  const pace = [
    status.attemptsPerImage !== undefined && `${status.attemptsPerImage.toFixed(2)} attempts per image`,
    status.shotsPerMinute !== undefined && `${status.shotsPerMinute.toFixed(1)} shots/min`,
    status.etaSeconds !== undefined && `ETA ${duration(status.etaSeconds)}`,
  ].filter((part) => part !== false);
  return [
    `${status.run}  ${status.state}`,
    `  shots      ${status.shots}: ${status.accepted} accepted, ${status.exhausted} exhausted, ${status.failed} failed, ${status.cancelled} cancelled, ${open} open`,
    `  attempts   ${status.attempts} judged, ${status.rejected} rejected, ${status.due} due, ${status.generated} waiting for a verdict`,
    ...(pace.length > 0 ? [`  pace       ${pace.join(', ')}`] : []),
    `  output     ${status.outputDir}`,
    ...(status.state === 'interrupted' ? [`  To go on: reroll resume ${status.run}`] : []),
  ].join('\n');
}
