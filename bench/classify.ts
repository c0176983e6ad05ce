import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { convertModel, Graph, writeOnnx } from '../src/models/index.js';
import { vitBase, writeRandomVit } from '../scripts/parity/random-vit.js';
import { printFigures } from './arena.js';
import type { Contestant, Opened, Round } from './classify-host.js';

/**
 * Pictures a second of ViT-B/16 with random weights, on ten 1024 x 1024 PNGs: transformers.js's pipeline as people use
 * it, in fp32 and q8, and reroll's classifier. transformers.js's own conversion script gives ViTs unsigned weights
 * for q8 (they have a Conv), so that is what its users have; reroll's q8 file through the pipeline stands beside it.
 */
const pictureCount = 10;
const rounds = 5;
/** 17.6 billion multiply-adds an image, by the layers' sizes. */
const gflopPerImage = 35.2;

interface Runner {
  name: string;
  child: ChildProcess;
  opened: Opened;
  rounds: Round[];
}

const folder = await mkdtemp(join(tmpdir(), 'reroll-bench-classify-'));
try {
  const pictures = await Promise.all(Array.from({ length: pictureCount }, (_, seed) => drawPicture(seed)));
  const model = join(folder, 'model');
  await convertModel(await writeRandomVit(join(folder, 'checkpoint'), vitBase), model, {
    variants: ['fp32', 'uint8', 'q8'],
  });
  const peaks = { fp32: await peakGflops('fp32'), int8: await peakGflops('int8') };

  const runners: Runner[] = [];
  runners.push(await open('pipeline fp32', { way: 'pipeline', model, dtype: 'fp32', pictures }));
  runners.push(await open('pipeline q8', { way: 'pipeline', model, dtype: 'uint8', pictures }));
  runners.push(await open("pipeline, reroll's q8", { way: 'pipeline', model, dtype: 'q8', pictures }));
  runners.push(await open('reroll q8', { way: 'reroll', model, dtype: 'q8', pictures }));
  // In turns, so that a slow minute of the machine slows all of them.
  for (let round = 0; round < rounds; round++) {
    for (const runner of runners) runner.rounds.push((await ask(runner.child, 'round')) as Round);
  }
  for (const { child } of runners) child.kill();
  report(runners as [Runner, Runner, Runner, Runner], peaks);
} finally {
  await rm(folder, { recursive: true, force: true });
}

function report(
  [fp32, q8, ourFile, ours]: [Runner, Runner, Runner, Runner],
  peaks: { fp32: number; int8: number },
) {
  const imagesPerSecond = rate(ours);
  const labels = fp32.rounds[0]?.labels ?? [];
  const labelAgreement =
    labels.filter((label, i) => label === ours.rounds[0]?.labels[i]).length / labels.length;
  const limit = peaks.int8 / gflopPerImage;
  const figures = {
    imagesPerSecond,
    ratioToFp32: ratio(fp32, ours),
    ratioToQ8: ratio(q8, ours),
    ratioToSameFile: ratio(ourFile, ours),
    cpuMsPerImage: cpuMs(ours),
    labelAgreement,
    peakRssMb: Math.max(...ours.rounds.map((round) => round.peakRssMb)),
    firstVerdictMs: ours.opened.firstVerdictMs,
    limitImagesPerSecond: limit,
  };
  printFigures(
    [
      `ViT-B/16, ${pictureCount} PNGs of 1024 x 1024, medians of ${rounds} rounds in turns`,
      ...[fp32, q8, ourFile, ours].map(
        (runner) =>
          `${runner.name.padEnd(22)} ${rate(runner).toFixed(2).padStart(6)} images/s, ${cpuMs(runner).toFixed(0).padStart(4)} ms of CPU an image, ` +
          `first verdict after ${(runner.opened.firstVerdictMs / 1000).toFixed(1)} s, peak ${(runner.rounds.at(-1)?.peakRssMb ?? 0).toFixed(0)} MB`,
      ),
      `reroll is faster by    ${figures.ratioToFp32.toFixed(2)} than fp32, ${figures.ratioToQ8.toFixed(2)} than q8, ` +
        `${figures.ratioToSameFile.toFixed(2)} than the pipeline with reroll's own file`,
      `labels                 ${(labelAgreement * 100).toFixed(0)} % as in fp32`,
      `limit                  ${limit.toFixed(1)} images/s: ${gflopPerImage} GFLOP an image at ${peaks.int8.toFixed(0)} GFLOP/s of int8 GEMM ` +
        `(fp32: ${peaks.fp32.toFixed(0)}, ${(peaks.fp32 / gflopPerImage).toFixed(1)} images/s); reroll is at ${((imagesPerSecond / limit) * 100).toFixed(0)} % of it`,
    ],
    figures,
  );
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/** How much longer the slower one takes: compared round by round, since both met the same state of the machine. */
function ratio(slower: Runner, faster: Runner): number {
  return median(slower.rounds.map((round, i) => round.seconds / (faster.rounds[i]?.seconds ?? NaN)));
}

function rate({ rounds: done }: Runner): number {
  return pictureCount / median(done.map((round) => round.seconds));
}

function cpuMs({ rounds: done }: Runner): number {
  return median(done.map((round) => round.cpuMs)) / pictureCount;
}

async function open(name: string, contestant: Contestant): Promise<Runner> {
  const child = fork(new URL('classify-host.js', import.meta.url), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  return { name, child, opened: (await ask(child, contestant)) as Opened, rounds: [] };
}

async function ask(child: ChildProcess, message: object | string): Promise<unknown> {
  child.send(message);
  const [answer] = (await once(child, 'message')) as [unknown];
  return answer;
}

/** Soft shapes and film grain: such a PNG is about as large, and as slow to decode, as a generated picture. */
async function drawPicture(seed: number): Promise<string> {
  const path = join(folder, `picture-${seed}.png`);
  const coarse = Buffer.from(
    Uint8Array.from({ length: 12 * 12 * 3 }, (_, i) => ((i + 7) * (seed + 3) * 2654435761) >>> 24),
  );
  const shapes = await sharp(coarse, { raw: { width: 12, height: 12, channels: 3 } })
    .resize(1024, 1024, { kernel: 'cubic' })
    .png()
    .toBuffer();
  const grain = await sharp({
    create: {
      width: 1024,
      height: 1024,
      channels: 3,
      background: '#000',
      noise: { type: 'gaussian', mean: 128, sigma: 8 },
    },
  })
    .png()
    .toBuffer();
  await sharp(shapes)
    .composite([{ input: grain, blend: 'soft-light' }])
    .removeAlpha()
    .png()
    .toFile(path);
  return path;
}

/** What onnxruntime's matrix product reaches at its best: the best of fifty products, short enough to be left alone. */
async function peakGflops(kind: 'fp32' | 'int8'): Promise<number> {
  const size = 1024;
  const graph = new Graph();
  const element = kind === 'fp32' ? 'float' : 'uint8';
  const x = graph.input('x', element, [size, size]);
  const weight = graph.weight('w', kind === 'fp32' ? 'float' : 'int8', [size, size], async () =>
    kind === 'fp32' ? new Float32Array(size * size).fill(0.5) : new Int8Array(size * size).fill(3),
  );
  // One number of the product is given out: copying all of it would be timed as well.
  const product = graph.node(kind === 'fp32' ? 'MatMul' : 'MatMulInteger', [x, weight]);
  graph.output(
    'y',
    graph.node('Slice', [product, graph.integers(0), graph.integers(1), graph.integers(0)]),
    kind === 'fp32' ? 'float' : 'int32',
    [1, size],
  );
  const path = join(folder, `gemm-${kind}.onnx`);
  await writeOnnx(path, graph);
  const session = await InferenceSession.create(path);
  const input =
    kind === 'fp32'
      ? new Tensor('float32', new Float32Array(size * size).fill(0.5), [size, size])
      : new Tensor('uint8', new Uint8Array(size * size).fill(3), [size, size]);
  let best = Infinity;
  for (let run = 0; run < 50; run++) {
    const startedAt = performance.now();
    await session.run({ x: input });
    best = Math.min(best, performance.now() - startedAt);
  }
  await session.release();
  return (2 * size ** 3) / (best / 1000) / 1e9;
}
