import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { printFigures } from './arena.js';

/** What commands cost that open no model and no database, beside an empty Node process. The median of some starts. */
const starts = 9;
const cli = resolve('dist/src/cli/main.js');
const folder = await mkdtemp(join(tmpdir(), 'reroll-startup-'));
const pipeline = join(folder, 'pipeline.yaml');

const commands = {
  node: ['-e', '0'],
  help: [cli, '--help'],
  runHelp: [cli, 'run', '--help'],
  init: [cli, 'init', '--force', pipeline],
  dryRun: [cli, 'run', '--dry-run', pipeline],
};
/** Tells, at its end, what the process has used. */
const tellUse = `data:text/javascript,${encodeURIComponent(`
  process.on('exit', () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    process.stderr.write(JSON.stringify({ cpuMs: (userCPUTime + systemCPUTime) / 1000, rssMb: maxRSS / 1024 }));
  });`)}`;

const lines: string[] = [];
const figures: Record<string, number> = {};
for (const [name, args] of Object.entries(commands)) {
  const uses = [];
  for (let start = 0; start < starts; start++) uses.push(await use(args));
  const cpuMs = median(uses.map((use) => use.cpuMs));
  const rssMb = median(uses.map((use) => use.rssMb));
  lines.push(
    `${name.padEnd(8)} ${cpuMs.toFixed(0).padStart(4)} ms of CPU ${rssMb.toFixed(0).padStart(4)} MB`,
  );
  figures[`${name}CpuMs`] = cpuMs;
  figures[`${name}RssMb`] = rssMb;
}
await rm(folder, { recursive: true });
printFigures(lines, figures);

async function use(args: string[]): Promise<{ cpuMs: number; rssMb: number }> {
  const child = spawn(process.execPath, ['--import', tellUse, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [told] = await Promise.all([text(child.stderr), once(child, 'close')]);
  return JSON.parse(told) as { cpuMs: number; rssMb: number };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
