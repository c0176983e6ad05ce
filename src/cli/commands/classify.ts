import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { devices } from '../../base/devices.js';
import { dtypes } from '../../base/dtypes.js';
import { defaultModel } from '../../base/default-model.js';
import type { ClassifyFlags } from '../classify.js';

export function addClassifyCommand(program: Command, exit: (code: number) => void): void {
  program
    .command('classify')
    .description('score images with the model')
    .argument('<files...>', 'image files, folders, globs, or - for a list of files on standard input')
    .option('--model <name>', 'a folder, or a Hub repository that was pulled', defaultModel)
    .option('--gate <pipeline>', 'judge by the gate of this pipeline, with its model')
    .addOption(new Option('--dtype <name>', "which of the model's files").choices(Object.keys(dtypes)))
    .addOption(new Option('--device <name>', 'where it runs; default cpu').choices(devices))
    .option('--threads <number>', 'CPU threads of one inference; default: one per core', countOf)
    .option('--top <number>', 'only the most probable labels', countOf)
    .option('--json', 'a JSON object a line')
    .option('--csv', 'CSV with a column for each label')
    .addHelpText(
      'after',
      `
Examples:
  $ reroll classify out/portraits-1
  $ reroll classify --gate portraits.yaml --csv 'shots/**/*.png' > scores.csv
  $ find . -name '*.png' | reroll classify --json -

Exit codes: 0 all scored; 1 some files are missing or could not be read; 2 could not run, or found no images`,
    )
    .action(async (files: string[], flags: ClassifyFlags) => {
      const { classifyFiles } = await import('../classify.js');
      exit(await classifyFiles(files, flags));
    });
}

function countOf(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('give a number from 1 on.');
  return count;
}
