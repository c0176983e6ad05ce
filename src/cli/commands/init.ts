import { Option, type Command } from 'commander';
import type { InitFlags } from '../init.js';

export function addInitCommand(program: Command, exit: (code: number) => void): void {
  program
    .command('init')
    .description('write a first pipeline, with the workflow that it needs')
    .argument('[file]', 'where to', 'pipeline.yaml')
    .option('--a1111', 'for AUTOMATIC1111, Forge, reForge or SD.Next; the default')
    .addOption(new Option('--comfyui', 'for ComfyUI').conflicts('a1111'))
    .option('--sdxl', 'for Stable Diffusion XL, on ComfyUI unless --a1111 stands there too')
    .addOption(
      new Option('--flux', 'for Flux, on ComfyUI unless --a1111 (Forge) stands there too').conflicts('sdxl'),
    )
    .option('--force', 'overwrite files that are there')
    .addHelpText('after', '\nExample:\n  $ reroll init portraits.yaml --sdxl && reroll doctor portraits.yaml')
    .action(async (file: string, flags: InitFlags) => {
      const { init } = await import('../init.js');
      exit(await init(file, flags));
    });

  program
    .command('demo')
    .description('run the demo in this folder: two sketch servers, a small model, no GPU')
    .option('--json', 'print one JSON object at the end')
    .action(async (flags: { json?: boolean }) => {
      const { demo } = await import('../demo.js');
      exit(await demo(flags));
    });
}
