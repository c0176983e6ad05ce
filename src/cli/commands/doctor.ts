import type { Command } from 'commander';

export function addDoctorCommand(program: Command, exit: (code: number) => void): void {
  program
    .command('doctor')
    .description('check servers, queue, database and model: what works, what does not, what to do about it')
    .argument('[pipeline]', 'pipeline file; left out: only this machine is checked')
    .option('--json', 'print a JSON array of findings')
    .option(
      '--rebuild <RUN>',
      'a run whose ledger is lost: record it anew from the pipeline and the images in its output folder',
    )
    .addHelpText(
      'after',
      `
Asks servers only what is harmless; generates nothing.

Examples:
  $ reroll doctor portraits.yaml
  $ reroll doctor portraits.yaml --rebuild portraits-3 && reroll resume portraits-3

Exit codes: 0 all well; 1 something was found`,
    )
    .action(
      async (file: string | undefined, { json, rebuild: run }: { json?: boolean; rebuild?: string }) => {
        if (run !== undefined) {
          const { rebuild } = await import('../rebuild.js');
          exit(await rebuild(file, run, json ?? false));
          return;
        }
        const { doctor } = await import('../doctor.js');
        exit(await doctor(file, { json: json ?? false }));
      },
    );
}
