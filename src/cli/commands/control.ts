import type { Command } from 'commander';
import type { ControlName } from '../control.js';

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
      const { listRuns } = await import('../control.js');
      exit(await listRuns(options));
    });

  const about = (name: ControlName, description: string, argument: string) =>
    program
      .command(name)
      .description(description)
      .argument(argument, 'the run, as `reroll runs` lists it')
      .option('--json', 'print a JSON object')
      .addHelpText('after', `${where}\n\nExample:\n  $ reroll ${name} portraits-3`)
      .action(async (run: string | undefined, options: { json?: boolean }) => {
        const { control } = await import('../control.js');
        exit(await control(name, run, options));
      });
  about('status', 'say where a run stands (left out: the newest)', '[run]');
  about('pause', 'send nothing more to the servers until `unpause`', '<run>');
  about('unpause', 'go on with a paused run', '<run>');
  about('cancel', 'end a run, and stop what the servers do for it', '<run>');
}
