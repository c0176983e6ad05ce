import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import '../support/no-telemetry.js';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openClassifier } from '../../src/classifier/index.js';
import { readResized } from '../../src/classifier/pixels.js';
import { convertModel } from '../../src/models/index.js';
import { randomFloats, type RandomVit, vitBase, writeRandomVit } from '../../scripts/parity/random-vit.js';

/** What Hugging Face transformers computes: made by scripts/parity/make.py, see docs/parity.md. */
const fixtures = join(import.meta.dirname, '../fixtures/parity');
const pictures = join(fixtures, 'pictures');
const readJson = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(join(fixtures, name), 'utf8'));
const models = (await readJson('models.json')) as Record<string, { vit: RandomVit; logits: number[][] }>;
const expected = (await readJson('pictures.json')) as {
  vit: RandomVit;
  probabilities: Record<string, number[]>;
};

let folder: string;
let base: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reroll-parity-'));
  base = join(folder, 'base');
  await convertModel(await writeRandomVit(join(folder, 'base-checkpoint'), vitBase), base);
}, 120_000);
afterAll(() => rm(folder, { recursive: true }));

async function run(onnx: string, vit: RandomVit, pixels: Float32Array): Promise<Record<string, Tensor>> {
  const session = await InferenceSession.create(onnx, { logSeverityLevel: 3 });
  const [height, width] = [vit.image_size].flat().concat(vit.image_size) as [number, number];
  const results = await session.run({
    pixel_values: new Tensor('float32', pixels, [2, vit.num_channels, height, width]),
  });
  await session.release();
  return results;
}

const pixelsFor = (name: string, { num_channels: channels, image_size: size }: RandomVit) => {
  const [height, width] = [size].flat().concat(size) as [number, number];
  return randomFloats(`pixels.${name}`, 2 * channels * height * width, 1);
};

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (value, index) => Math.abs(value - b[index]!)));

describe('the same pixels', () => {
  it.each(Object.entries(models))(
    'give %s the logits of transformers, within 1e-4',
    async (name, { vit, logits }) => {
      let model = base;
      if (name === 'vit-base-patch16-224') {
        expect(vit).toEqual(vitBase);
      } else {
        model = join(folder, name);
        await convertModel(await writeRandomVit(join(folder, `${name}-checkpoint`), vit), model, {
          variants: ['fp32', 'fp16', 'int8', 'uint8', 'q8'],
        });
      }
      const bounds = {
        'model.onnx': 1e-4,
        'model_fp16.onnx': 0.01,
        'model_int8.onnx': 0.2,
        'model_uint8.onnx': 0.2,
        'model_quantized.onnx': 0.2,
      };
      for (const file of await readdir(join(model, 'onnx'))) {
        const results = await run(join(model, 'onnx', file), vit, pixelsFor(name, vit));
        expect(results.logits!.dims).toEqual([2, vit.labels.length]);
        const difference = largestDifference(results.logits!.data as Float32Array, logits.flat());
        expect(difference, file).toBeLessThan(bounds[file as keyof typeof bounds]);
        expect(results.cls_embedding!.dims).toEqual([2, vit.hidden_size]);
      }
    },
  );
});

describe('the same file', () => {
  const names = Object.keys(expected.probabilities);

  it.each(names)('%s becomes the same pixels, within 1/255 on average', async (name) => {
    const reference = await sharp(join(pictures, name.replace(/\.\w+$/, '.pixels.png')))
      .raw()
      .toBuffer();
    const { data } = await readResized(join(pictures, name), 224, 224, 'bilinear');
    const sum = reference.reduce((total, value, index) => total + Math.abs(value - data[index]!), 0);
    expect(sum / reference.length).toBeLessThan(1);
  });

  it('gets the same probabilities, within 0.01', async () => {
    const classifier = await openClassifier({ model: base });
    const differences = [];
    for (const [name, probabilities] of Object.entries(expected.probabilities)) {
      const scores = new Map(
        (await classifier.classify(join(pictures, name))).map(({ label, score }) => [label, score]),
      );
      const ours = vitBase.labels.map((label) => scores.get(label) ?? NaN);
      differences.push({ name, difference: largestDifference(ours, probabilities) });
    }
    await classifier.close();
    expect(differences.filter(({ difference }) => !(difference <= 0.01))).toEqual([]);
  });
});
