#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addClassifyCommand } from './commands/classify.js';
import { addControlCommands } from './commands/control.js';
import { addDoctorCommand } from './commands/doctor.js';
import { outliveReaders, tellFailure } from './exit.js';
import { addInitCommand } from './commands/init.js';
import { addModelCommands } from './commands/model.js';
import { addRunCommands } from './commands/run.js';
import { addSketchCommand } from './commands/sketch.js';
import { wrap } from './wrap.js';

/** dist/src/cli -> the package's root. */
const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Help in lines that fit the terminal; examples stay as they are, to be copied. */
const readable = (text: string): string =>
  text
    .split('\n')
    .flatMap((line) => (line.startsWith('  $') ? [line] : wrap(line, process.stdout.columns || 80)))
    .join('\n');

const program = new Command('reroll')
  .description(
    'Keeps asking Stable Diffusion servers for an image until a classifier says that its anatomy is right.',
  )
  .version(version)
  .configureOutput({ writeOut: (text) => process.stdout.write(readable(text)) })
  .showHelpAfterError('(reroll --help lists the commands)')
  .exitOverride()
  .addHelpText(
    'after',
    `
Start here:
  $ reroll demo                    see it work, without a GPU
  $ reroll init                    write pipeline.yaml for your own servers
  $ reroll doctor pipeline.yaml    check servers and model
  $ reroll run pipeline.yaml

Exit codes: 0 done; 1 done, but some shots are exhausted or failed, or a check found something; 2 could not run; 130 interrupted`,
  );

const exit = (code: number) => {
  process.exitCode = code;
};
addInitCommand(program, exit);
addDoctorCommand(program, exit);
addRunCommands(program, exit);
addControlCommands(program, exit);
addClassifyCommand(program, exit);
addModelCommands(program, exit);
addSketchCommand(program, exit);

outliveReaders();
// What no caller could catch, such as a stream's error: told like the rest.
process.on('uncaughtException', (error) => process.exit(tellFailure(error)));

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = tellFailure(error);
}
