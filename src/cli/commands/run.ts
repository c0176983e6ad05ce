import type { Command } from 'commander';
import type { RetryFlags, RunFlags } from '../run.js';

const collect = (value: string, values: string[] = []) => [...values, value];

export function addRunCommands(program: Command, exit: (code: number) => void): void {
  program
    .command('run')
    .description('work a pipeline off: generate, judge, regenerate, publish')
    .argument('<pipeline>', 'pipeline file (YAML)')
    .option('--dry-run', 'print the shots and the expected cost; ask no server')
    .option(
      '--set <key=value>',
      'override a setting of the pipeline, as in retry.attempts=3 (repeatable)',
      collect,
    )
    .option('--seed <number>', "the run's seed, 0 to 4294967295: as --set seed=...")
    .option('--json', 'print one JSON object at the end')
    .addHelpText(
      'after',
      `
Examples:
  $ reroll run portraits.yaml
  $ reroll run portraits.yaml --dry-run
  $ reroll run portraits.yaml --set generate.steps=30 --set retry.attempts=3

Exit codes: 0 every shot accepted; 1 some are exhausted or failed; 2 could not run; 130 interrupted (go on with \`reroll resume\`)`,
    )
    .action(async (file: string, options: RunFlags) => {
      const { run } = await import('../run.js');
      exit(await run(file, options));
    });

  program
    .command('resume')
    .description('go on with an interrupted run')
    .argument('[run]', 'the run; left out: the newest that is not over')
    .option('--json', 'print one JSON object at the end')
    .addHelpText(
      'after',
      `
Looks for the run in REROLL_HOME, or in .reroll below the current folder.

Examples:
  $ reroll resume
  $ reroll resume portraits-3

Exit codes: as for \`reroll run\``,
    )
    .action(async (id: string | undefined, options: { json?: boolean }) => {
      const { resume } = await import('../run.js');
      exit(await resume(id, options));
    });

  program
    .command('retry')
    .description('try the shots of a finished run again that failed or are exhausted')
    .argument('[run]', 'the run; left out: the newest that is over')
    .option('--failed', 'only those that failed')
    .option('--exhausted', 'only those that are exhausted')
    .option('--missing', 'only those whose published image was deleted: made again as it was')
    .option('--shots <numbers>', 'only these, as in 3,7-9')
    .option(
      '--attempts <+number>',
      'attempts that each may use now; left out: retry.attempts of the pipeline',
    )
    .option('--set <key=value>', 'change the gate, the ladder or backends from here on (repeatable)', collect)
    .option('--json', 'print one JSON object at the end')
    .addHelpText(
      'after',
      `
The attempts made so far stay; the new ones go on numbering, with seeds of their own, and climb the ladder anew.
Looks for the run in REROLL_HOME, or in .reroll below the current folder.

Examples:
  $ reroll retry
  $ reroll retry portraits-3 --exhausted --attempts +4
  $ reroll retry portraits-3 --missing
  $ reroll retry portraits-3 --shots 3,7-9 --set 'retry.ladder=[new_seed, {adjust: {steps: 40}}]'

Exit codes: as for \`reroll run\``,
    )
    .action(async (id: string | undefined, options: RetryFlags) => {
      const { retry } = await import('../run.js');
      exit(await retry(id, options));
    });
}
