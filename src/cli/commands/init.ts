import type { Command } from 'commander';

export function addInitCommand(program: Command, exit: (code: number) => void): void {
  program
    .command('init')
    .description('write a first pipeline')
    .argument('[file]', 'where to', 'pipeline.yaml')
    .option('--force', 'overwrite a file that is there')
    .addHelpText('after', '\nExample:\n  $ reroll init portraits.yaml && reroll doctor portraits.yaml')
    .action(async (file: string, { force }: { force?: boolean }) => {
      const { init } = await import('../init.js');
      exit(await init(file, { force: force ?? false }));
    });

  program
    .command('demo')
    .description('run the demo in this folder: two sketch servers, a small model, no GPU')
    .action(async () => {
      const { demo } = await import('../demo.js');
      exit(await demo());
    });
}
