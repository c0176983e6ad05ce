import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  ensemble,
  openClassifier,
  type Classifier,
  type ClassifierOptions,
} from '../../src/classifier/index.js';
import { bombPng, testPicture } from '../support/pictures.js';
import { anatomyLabels, writeTinyModel } from '../support/tiny-model.js';

let folder: string;
let model: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reroll-classifier-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(() => {
  model = join(folder, `model-${++count}`);
});

const plain = (background: string): Promise<Buffer> =>
  sharp({ create: { width: 100, height: 50, channels: 3, background } })
    .png()
    .toBuffer();

async function withClassifier<T>(
  options: Omit<ClassifierOptions, 'model'>,
  use: (classifier: Classifier) => Promise<T>,
): Promise<T> {
  const classifier = await openClassifier({ model, ...options });
  try {
    return await use(classifier);
  } finally {
    await classifier.close();
  }
}

test('scores every label, most probable first, from bytes and from a file', async () => {
  await writeTinyModel(model);
  await withClassifier({}, async (classifier) => {
    expect(classifier.labels).toEqual(anatomyLabels);
    for (const [index, colour] of ['#f00', '#0f0', '#00f'].entries()) {
      const scores = await classifier.classify(await plain(colour));
      expect(scores.map(({ label }) => label).sort()).toEqual([...anatomyLabels].sort());
      expect(scores[0]!.label).toBe(anatomyLabels[index]);
      expect(scores.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 6);
      expect(scores.map(({ score }) => score)).toEqual(
        scores.map(({ score }) => score).sort((a, b) => b - a),
      );
    }
    await writeFile(join(folder, 'green.png'), await plain('#0f0'));
    expect((await classifier.classify(join(folder, 'green.png')))[0]!.label).toBe(anatomyLabels[1]);
  });
});

test('labels that do not exclude each other are judged one by one', async () => {
  await writeTinyModel(model, { config: { problem_type: 'multi_label_classification' } });
  await withClassifier({}, async (classifier) => {
    // Red and green at once: logits 4 + -4 - -4 = 4, for both.
    const scores = await classifier.classify(await plain('#ff0'));
    expect(scores[0]!.score).toBeCloseTo(1 / (1 + Math.exp(-4)), 3);
    expect(scores[1]!.score).toBeCloseTo(1 / (1 + Math.exp(-4)), 3);
  });
});

test('many calls at once each get their own answer', async () => {
  await writeTinyModel(model);
  await withClassifier({ threads: 1 }, async (classifier) => {
    const colours = ['#f00', '#0f0', '#00f', '#000'];
    const wanted = Array.from({ length: 40 }, (_, index) => index % 4);
    const tops = await Promise.all(
      wanted.map(async (index) => (await classifier.classify(await plain(colours[index]!)))[0]!.label),
    );
    expect(tops).toEqual(wanted.map((index) => anatomyLabels[index]));
  });
});

test('pictures of every kind are judged', async () => {
  await writeTinyModel(model);
  const picture = testPicture(90, 70);
  await withClassifier({}, async (classifier) => {
    for (const bytes of [
      picture.clone().jpeg().toBuffer(),
      picture.clone().webp().toBuffer(),
      picture.clone().greyscale().png().toBuffer(),
      picture.clone().ensureAlpha(0.5).png().toBuffer(),
      picture.clone().toColourspace('rgb16').png().toBuffer(),
      picture.clone().toColourspace('cmyk').jpeg().toBuffer(),
      picture.clone().withMetadata({ orientation: 6 }).jpeg().toBuffer(),
      picture.clone().resize(1, 1).png().toBuffer(),
      picture.clone().gif().toBuffer(),
    ]) {
      expect(await classifier.classify(await bytes)).toHaveLength(4);
    }
  });
});

test('what is no picture is an ImageError, and the next picture is judged as ever', async () => {
  await writeTinyModel(model);
  const frames = sharp(await testPicture(16, 32).raw().toBuffer(), {
    raw: { width: 16, height: 32, channels: 3, pageHeight: 16 },
  });
  const png = await testPicture(64, 64).png().toBuffer();
  await withClassifier({}, async (classifier) => {
    for (const [bytes, message] of [
      [Buffer.alloc(0), /0 bytes/],
      [Buffer.from('<html>'), /not a readable picture/],
      [png.subarray(0, png.length / 2), /not a readable picture/],
      [bombPng(40_000, 40_000), /40000 x 40000 pixels: larger/],
      [await frames.gif().toBuffer(), /animated/],
      [Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), /svg/],
    ] as const) {
      await expect(classifier.classify(bytes)).rejects.toMatchObject({
        name: 'ImageError',
        message: expect.stringMatching(message) as string,
      });
    }
    await expect(classifier.classify(join(folder, 'nothing.png'))).rejects.toMatchObject({
      name: 'ImageError',
    });
    expect(await classifier.classify(png)).toHaveLength(4);
  });
});

test('an aborted call ends with the reason, and others go on', async () => {
  await writeTinyModel(model);
  await withClassifier({}, async (classifier) => {
    const png = await plain('#f00');
    await expect(classifier.classify(png, AbortSignal.abort(new Error('shut down')))).rejects.toThrow(
      'shut down',
    );
    const controller = new AbortController();
    const aborted = classifier.classify(png, controller.signal);
    const other = classifier.classify(png);
    controller.abort(new Error('shut down'));
    await expect(aborted).rejects.toThrow('shut down');
    expect((await other)[0]!.label).toBe(anatomyLabels[0]);
  });
});

test('the identity says which file gave the verdict, or where reroll got it from', async () => {
  await writeTinyModel(model);
  const identity = await withClassifier({}, async (classifier) => classifier.model);
  expect(identity).toEqual({
    name: `model-${count}`,
    revision: expect.stringMatching(/^[0-9a-f]{12}$/) as string,
    dtype: 'fp32',
  });
  await writeFile(
    join(model, 'reroll.json'),
    JSON.stringify({ source: 'someone/model', revision: 'abc123' }),
  );
  expect(await withClassifier({}, async (classifier) => classifier.model)).toEqual({
    name: 'someone/model',
    revision: 'abc123',
    dtype: 'fp32',
  });
});

test('pictures are prepared as the processor of another family asks', async () => {
  await writeTinyModel(model, {
    preprocessor: {
      image_processor_type: 'CLIPImageProcessor',
      size: { shortest_edge: 40 },
      do_center_crop: true,
      crop_size: { height: 32, width: 32 },
    },
  });
  await withClassifier({}, async (classifier) => {
    expect((await classifier.classify(await plain('#0f0')))[0]!.label).toBe(anatomyLabels[1]);
  });
});

test('what is not known of a model is said by its classifier, and by those that it judges with', async () => {
  await writeTinyModel(model, { preprocessor: { image_processor_type: 'FancyImageProcessor' } });
  await withClassifier({}, async (classifier) => {
    expect(classifier.notes).toEqual([expect.stringMatching(/does not know FancyImageProcessor/)]);
    expect(ensemble([classifier, classifier], 'max').notes).toHaveLength(2);
  });
});

async function change(name: string, to: (json: Record<string, unknown>) => unknown): Promise<void> {
  const file = join(model, name);
  await writeFile(file, JSON.stringify(to(JSON.parse(await readFile(file, 'utf8')) as never)));
}

test('labels may be numbers, stand in label2id, or be counted alone', async () => {
  await writeTinyModel(model);
  const labelsOf = async (changes: object) => {
    await change('config.json', (json) => ({ ...json, ...changes }));
    return withClassifier({}, async (classifier) => classifier.labels);
  };
  expect(await labelsOf({ id2label: { 0: 0, 1: 1, 2: 2, 3: 3 } })).toEqual(['0', '1', '2', '3']);
  expect(await labelsOf({ id2label: null, label2id: { d: 3, a: 0, c: '2', b: 1 } })).toEqual([
    'a',
    'b',
    'c',
    'd',
  ]);
  expect(await labelsOf({ label2id: null, num_labels: 4 })).toEqual([
    'LABEL_0',
    'LABEL_1',
    'LABEL_2',
    'LABEL_3',
  ]);
  const file = join(model, 'config.json');
  await writeFile(file, `\uFEFF${await readFile(file, 'utf8')}`);
  expect(await withClassifier({}, async (classifier) => classifier.labels)).toHaveLength(4);
});

test('a model of one label judges by a sigmoid, not by a share of nothing else', async () => {
  await writeTinyModel(model, {
    labels: ['bad'],
    weights: [[4], [0], [0]],
    config: { id2label: null, num_labels: 1 },
  });
  await withClassifier({}, async (classifier) => {
    expect(classifier.labels).toEqual(['LABEL_0']);
    const [red] = await classifier.classify(await plain('#f00'));
    const [cyan] = await classifier.classify(await plain('#0ff'));
    expect(red!.score).toBeCloseTo(1 / (1 + Math.exp(-4)), 3);
    expect(cyan!.score).toBeCloseTo(1 / (1 + Math.exp(4)), 3);
  });
});

test('an ONNX file in the root of the folder is as good', async () => {
  await writeTinyModel(model);
  await rename(join(model, 'onnx', 'model.onnx'), join(model, 'model.onnx'));
  await withClassifier({}, async (classifier) => {
    expect((await classifier.classify(await plain('#0f0')))[0]!.label).toBe(anatomyLabels[1]);
  });
});

test("a model of timm is opened by its config.json alone, in timm's words", async () => {
  await writeTinyModel(model);
  await rm(join(model, 'preprocessor_config.json'));
  await writeFile(
    join(model, 'config.json'),
    JSON.stringify({
      architecture: 'resnet18',
      num_classes: 4,
      label_names: anatomyLabels,
      pretrained_cfg: { input_size: [3, 32, 32], mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], crop_pct: 0.9 },
    }),
  );
  await withClassifier({}, async (classifier) => {
    expect(classifier.notes).toEqual([]);
    expect((await classifier.classify(await plain('#0f0')))[0]!.label).toBe(anatomyLabels[1]);
  });
});

test('a model that answers NaN, or that overflows on busy pictures, is not opened', async () => {
  await writeTinyModel(model, { weights: [0, 1, 2].map(() => [0, NaN, 0, 0]) });
  await expect(openClassifier({ model })).rejects.toThrow(/cannot judge: it answers NaN/);
  await writeTinyModel(model, { weights: [0, 1, 2].map(() => [3e38, -3e38, 3e38, 0]), overflows: true });
  await expect(openClassifier({ model })).rejects.toThrow(/cannot judge: it answers Infinity/);
});

test('a model folder that cannot be used says why and what to do', async () => {
  const broken = async (
    message: RegExp,
    breakIt: () => Promise<unknown>,
    options: Partial<ClassifierOptions> = {},
  ): Promise<void> => {
    await rm(model, { recursive: true, force: true });
    await writeTinyModel(model);
    await breakIt();
    await expect(openClassifier({ model, ...options })).rejects.toMatchObject({
      name: 'ModelError',
      message: expect.stringMatching(message) as string,
    });
  };
  const config = (changes: object) => change('config.json', (json) => ({ ...json, ...changes }));
  await broken(/no model folder .*reroll model pull/, () => rm(model, { recursive: true }));
  await broken(/config\.json is missing: this is no model folder/, () => rm(join(model, 'config.json')));
  await broken(/preprocessor_config\.json is missing/, () => rm(join(model, 'preprocessor_config.json')));
  await broken(/config\.json is no JSON/, () => writeFile(join(model, 'config.json'), '{'));
  await broken(/no ONNX file .*onnx.model\.onnx.*reroll model convert/, () =>
    rm(join(model, 'onnx', 'model.onnx')),
  );
  await broken(/no ONNX file .*model_quantized\.onnx \(dtype q8\)/, () => mkdir(join(model, 'more')), {
    dtype: 'q8',
  });
  await broken(/does not load: /, () => writeFile(join(model, 'onnx', 'model.onnx'), 'not a protobuf'));
  await broken(/no id2label/, () => config({ id2label: undefined }));
  await broken(/two labels "a"/, () => config({ id2label: { 0: 'a', 1: 'b', 2: 'a', 3: 'c' } }));
  await broken(/number its labels 0, 1, 2/, () => config({ id2label: { 1: 'a', 2: 'b' } }));
  await broken(/4 scores, but id2label .* names 3 labels/, () =>
    config({ id2label: { 0: 'a', 1: 'b', 2: 'c' } }),
  );
  await broken(/does not load: .*Unsupported device/, () => mkdir(join(model, 'more')), {
    device: process.platform === 'darwin' ? 'dml' : 'coreml',
  });
  await broken(/reroll\.json is broken: it must have a source/, () =>
    writeFile(join(model, 'reroll.json'), '{}'),
  );
});
