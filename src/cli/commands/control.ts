import type { Command } from 'commander';
import type { CleanFlags } from '../clean.js';
import type { ControlName } from '../control.js';

/** `status`, `runs`, `report`, `pause`, `unpause`, `cancel`: of the process that holds the state folder, or of the folder itself. */
export function addControlCommands(program: Command, exit: (code: number) => void): void {
  const where =
    '\nLooks in REROLL_HOME, or in .reroll below the current folder. Works beside a running `reroll run`.';

  program
    .command('runs')
    .description('list the runs, newest first')
    .option('--json', 'print a JSON array')
    .addHelpText('after', where)
    .action(async (options: { json?: boolean }) => {
      const { listRuns } = await import('../control.js');
      exit(await listRuns(options));
    });

  program
    .command('status')
    .description('say where a run stands')
    .argument('[run]', 'the run, as `reroll runs` lists it; left out: the newest')
    .option('--events', 'print what happened in it, a line each')
    .option('--json', 'print a JSON object; with --events one for each event')
    .addHelpText('after', `${where}\n\nExample:\n  $ reroll status portraits-3`)
    .action(async (run: string | undefined, options: { events?: boolean; json?: boolean }) => {
      const { status } = await import('../control.js');
      exit(await status(run, options));
    });

  program
    .command('report')
    .description('write the report of a run as it stands now, and say where it is')
    .argument('[run]', 'the run, as `reroll runs` lists it; left out: the newest')
    .option('--json', 'print a JSON object')
    .addHelpText(
      'after',
      `${where}\n\nA run that goes on writes it by itself from its first minute on.\n\nExample:\n  $ reroll report portraits-3`,
    )
    .action(async (run: string | undefined, options: { json?: boolean }) => {
      const { report } = await import('../control.js');
      exit(await report(run, options));
    });

  const about = (name: ControlName, description: string) =>
    program
      .command(name)
      .description(description)
      .argument('[run]', 'the run, as `reroll runs` lists it; left out: the one that is going on')
      .option('--json', 'print a JSON object')
      .addHelpText('after', `${where}\n\nExample:\n  $ reroll ${name} portraits-3`)
      .action(async (run: string | undefined, options: { json?: boolean }) => {
        const { control } = await import('../control.js');
        exit(await control(name, run, options));
      });
  about('pause', 'send nothing more to the servers until `unpause`');
  about('unpause', 'go on with a paused run');
  about('cancel', 'end a run, and stop what the servers do for it');

  program
    .command('clean')
    .description('free what no command needs any more')
    .option('--dry-run', 'say what would be freed')
    .option(
      '--runs <age>',
      'also the records of runs that ended so long ago, as in 30d: no `retry`, `status` of them any more',
    )
    .option('--json', 'print a JSON object')
    .addHelpText(
      'after',
      `
In REROLL_HOME, or in .reroll below the current folder, while no run is going on there. Runs that are not over,
published images and manifests are never touched.

Examples:
  $ reroll clean --dry-run
  $ reroll clean --runs 30d`,
    )
    .action(async (options: CleanFlags) => {
      const { cleanUp } = await import('../clean.js');
      exit(await cleanUp(options));
    });
}
