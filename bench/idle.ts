import { resolve } from 'node:path';
import { openClassifier } from '../src/classifier/index.js';
import { judge } from '../src/loop/index.js';
import type { SketchOptions } from '../sketch/index.js';
import { hostSketchServers, printFigures, runPipelines } from './arena.js';

/**
 * How much of their time the servers work: sum of busy time over wall time times servers, from the start of the run
 * to its last verdict; and to its end, when manifest and report are written and no server is needed. Beside it, a plain script
 * that sends, classifies and sends again, one after the other, each server in turn; and twice
 * as many servers of both kinds, half as fast, so that the machine has as much to draw and to judge. Two runs of half as
 * many shots share the same servers.
 */
const servers = 2;
const shots = 100;
const latencyMs = 400;
const attempts = 4;
const model = resolve('models/demo');
const workflow = resolve('config/workflows/sd15.api.json');
const checkpoint = 'sketch-hands-v1.safetensors';
const size = 512;

const options = Array.from({ length: servers }, () => ({ latencyMs, badRate: 0.5 }));
const mixed = (['a1111', 'a1111', 'comfyui', 'comfyui'] as const).map((protocol) => ({
  protocol,
  latencyMs: 2 * latencyMs,
  badRate: 0.5,
}));

const { share, shareWithReport, seconds, secondsToLastShot, summary } = await measure(options);
const { share: mixedShare } = await measure(mixed);
const { share: twoRunsShare } = await measure(options, ['one', 'other']);

const plainHost = await hostSketchServers(options);
const plainSeconds = await sequentially(plainHost.urls, summary.attempts);
const sequentialShare = busySeconds(await plainHost.stats()) / (plainSeconds * servers);
plainHost.close();

printFigures(
  [
    `${servers} servers, ${latencyMs} ms an image, ${shots} shots, ${summary.attempts} attempts`,
    `reroll      ${(share * 100).toFixed(1)} % of the servers' time used until the last shot, ${secondsToLastShot.toFixed(1)} s`,
    `            ${(shareWithReport * 100).toFixed(1)} % with manifest and report, ${seconds.toFixed(1)} s`,
    `sequential  ${(sequentialShare * 100).toFixed(1)} %, ${plainSeconds.toFixed(1)} s for as many attempts`,
    `two runs    ${(twoRunsShare * 100).toFixed(1)} % of the same servers' time, ${shots / 2} shots each, until the last shot of both`,
    `mixed       ${(mixedShare * 100).toFixed(1)} % of the time of ${mixed.length} servers of both kinds`,
  ],
  { share, shareWithReport, twoRunsShare, mixedShare, sequentialShare, attempts: summary.attempts },
);

async function measure(servers: Partial<SketchOptions>[], names = ['idle']) {
  const host = await hostSketchServers(servers);
  const pipelines = names.map((name, place) => ({
    name,
    seed: 1 + place,
    backends: host.urls.map((url, place) => ({
      name: `s${place}`,
      url,
      slots: 2,
      ...(servers[place]?.protocol === 'comfyui' ? { kind: 'comfyui', workflow } : { kind: 'a1111' }),
    })),
    generate: { width: size, height: size, checkpoint },
    prompts: [{ text: 'a hand', count: shots / names.length }],
    gate: { model },
    retry: { attempts, ladder: ['new_seed'] },
    output: { dir: 'out' },
  }));
  const { seconds, secondsToLastShot, summary } = await runPipelines(pipelines);
  const busy = busySeconds(await host.stats());
  host.close();
  return {
    share: busy / (secondsToLastShot * servers.length),
    shareWithReport: busy / (seconds * servers.length),
    seconds,
    secondsToLastShot,
    summary,
  };
}

function busySeconds(stats: { busyMs: number }[]): number {
  return stats.reduce((sum, { busyMs }) => sum + busyMs, 0) / 1000;
}

async function sequentially(urls: string[], count: number): Promise<number> {
  const classifier = await openClassifier({ model });
  const startedAt = performance.now();
  for (let attempt = 0; attempt < count; attempt++) {
    const url = urls[attempt % urls.length] ?? '';
    const response = await fetch(`${url}/sdapi/v1/txt2img`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'a hand', seed: attempt, steps: 20, width: size, height: size }),
    });
    const { images } = (await response.json()) as { images: string[] };
    const scores = await classifier.classify(Buffer.from(images[0] ?? '', 'base64'));
    judge([{ kind: 'share', labels: ['*Bad_Anatomy'], threshold: 0.5 }], scores);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  await classifier.close();
  return seconds;
}
