import type { Command } from 'commander';

export function addDoctorCommand(program: Command, exit: (code: number) => void): void {
  program
    .command('doctor')
    .description('check servers, queue, database and model: what works, what does not, what to do about it')
    .argument('[pipeline]', 'pipeline file; left out: only this machine is checked')
    .option('--json', 'print a JSON array of findings')
    .addHelpText(
      'after',
      `
Asks servers only what is harmless; generates nothing.

Example:
  $ reroll doctor portraits.yaml

Exit codes: 0 all well; 1 something was found`,
    )
    .action(async (file: string | undefined, { json }: { json?: boolean }) => {
      const { doctor } = await import('../doctor.js');
      exit(await doctor(file, { json: json ?? false }));
    });
}
