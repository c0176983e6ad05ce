import { freeClassifier, hostSketchServers, printFigures, runPipelines } from './arena.js';

/**
 * What reroll itself costs: CPU time of an attempt with servers that answer at once, classification left out. And that it
 * stays so in long runs, with a budget of the whole run and without: of each, the first attempts (`--whole`: all).
 */
const shots = 2000;
const slots = 2;
const rowShots = [250, 4_000, 20_000];
const rowAttempts = process.argv.includes('--whole') ? Infinity : 1_000;

const host = await hostSketchServers([{ latencyMs: 0 }, { latencyMs: 0 }]);
const pipeline = (count: number, runAttempts?: number) => ({
  name: 'overhead',
  seed: 1,
  backends: host.urls.map((url, place) => ({ name: `s${place}`, kind: 'a1111', url, slots })),
  generate: { width: 64, height: 64, steps: 1 },
  prompts: [{ text: 'a hand', count }],
  gate: { model: 'free' },
  retry: {
    attempts: 4,
    ladder: ['new_seed'],
    ...(runAttempts !== undefined && { run_attempts: runAttempts }),
  },
  output: { dir: 'out', keep_rejected: false },
});

const { summary, seconds, cpuMs, peakRssMb } = await runPipelines([pipeline(shots)], {
  classifier: freeClassifier(2),
});
const maxHeld = Math.max(...(await host.stats()).map((server) => server.maxHeld));

const rows = [];
for (const count of rowShots) {
  for (const budget of [undefined, Math.ceil(count * 1.5)]) {
    const { judged } = await runPipelines([pipeline(count, budget)], {
      classifier: freeClassifier(2),
      attempts: rowAttempts,
    });
    const cpuMsPerAttempt = judged.cpuMs / judged.attempts;
    rows.push({ shots: count, runAttempts: budget ?? null, attempts: judged.attempts, cpuMsPerAttempt });
  }
}
host.close();

const cpuMsPerAttempt = cpuMs / summary.attempts;
printFigures(
  [
    `${shots} shots, ${summary.attempts} attempts in ${seconds.toFixed(1)} s`,
    `orchestration  ${cpuMsPerAttempt.toFixed(1)} ms of CPU an attempt`,
    `peak memory    ${peakRssMb.toFixed(0)} MB`,
    `at a server    ${maxHeld} requests at most, of ${slots} slots`,
    ...rows.map(
      (row) =>
        `${String(row.shots).padStart(6)} shots   ${row.cpuMsPerAttempt.toFixed(1)} ms of CPU an attempt, ${row.attempts} attempts, ${
          row.runAttempts === null ? 'no budget of the run' : `run_attempts ${row.runAttempts}`
        }`,
    ),
  ],
  { cpuMsPerAttempt, peakRssMb, maxHeld, attempts: summary.attempts, seconds, rows },
);
