import { freeClassifier, hostSketchServers, printFigures, runPipeline } from './arena.js';

/** What reroll itself costs: CPU time of an attempt with servers that answer at once, classification left out. */
const shots = 2000;
const slots = 2;

const host = await hostSketchServers([{ latencyMs: 0 }, { latencyMs: 0 }]);
const { summary, seconds, cpuMs, peakRssMb } = await runPipeline(
  {
    name: 'overhead',
    seed: 1,
    backends: host.urls.map((url, place) => ({ name: `s${place}`, kind: 'a1111', url, slots })),
    generate: { width: 64, height: 64, steps: 1 },
    prompts: [{ text: 'a hand', count: shots }],
    gate: { model: 'free' },
    retry: { attempts: 4, ladder: ['new_seed'] },
    output: { dir: 'out', keep_rejected: false },
  },
  freeClassifier(2),
);
const maxHeld = Math.max(...(await host.stats()).map((server) => server.maxHeld));
host.close();

const cpuMsPerAttempt = cpuMs / summary.attempts;
printFigures(
  [
    `${shots} shots, ${summary.attempts} attempts in ${seconds.toFixed(1)} s`,
    `orchestration  ${cpuMsPerAttempt.toFixed(1)} ms of CPU an attempt`,
    `peak memory    ${peakRssMb.toFixed(0)} MB`,
    `at a server    ${maxHeld} requests at most, of ${slots} slots`,
  ],
  { cpuMsPerAttempt, peakRssMb, maxHeld, attempts: summary.attempts, seconds },
);
