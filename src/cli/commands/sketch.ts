import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import type { SketchFlags } from '../sketch.js';

export function addSketchCommand(program: Command, exit: (code: number) => void): void {
  program
    .command('sketch')
    .description("start a sketch server: it draws hands, and speaks a Stable Diffusion server's protocol")
    .option('--port <number>', 'port on 127.0.0.1 (0: any free one)', portOf, 7861)
    .addOption(
      new Option('--protocol <name>', 'whose protocol').choices(['a1111', 'comfyui']).default('a1111'),
    )
    .addOption(
      new Option('--latency <time>', 'how long an image takes: 300ms, 2s')
        .argParser(millisecondsOf)
        .default(300, '300ms'),
    )
    .option('--bad-rate <share>', 'share of images with bad anatomy, 0 to 1', shareOf, 0.5)
    .option('--fail <share>', 'share of requests that meet a fault, 0 to 1', shareOf, 0)
    .option('--auth <user:password>', 'ask for this login, as --api-auth does')
    .addHelpText(
      'after',
      `
What it serves are drawings, not the work of a diffusion model: for trying reroll out, for demos and tests.

Examples:
  $ reroll sketch --port 7861 --latency 300ms --bad-rate 0.5
  $ reroll sketch --protocol comfyui --port 8188 --fail 0.02`,
    )
    .action(async (flags: SketchFlags) => {
      const { sketch } = await import('../sketch.js');
      exit(await sketch(flags));
    });
}

function portOf(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new InvalidArgumentError('a port is a number from 0 to 65535.');
  return port;
}

function shareOf(text: string): number {
  const share = Number(text);
  if (!(share >= 0 && share <= 1)) throw new InvalidArgumentError('a share is a number from 0 to 1.');
  return share;
}

function millisecondsOf(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s)?$/.exec(text);
  if (!match) throw new InvalidArgumentError('a time reads 300ms or 2s.');
  return Number(match[1]) * (match[2] === 's' ? 1000 : 1);
}
