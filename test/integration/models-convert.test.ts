import fs, {
  access,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import '../support/no-telemetry.js';
import {
  AutoModelForImageClassification,
  env,
  Tensor as TransformersTensor,
} from '@huggingface/transformers';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { ModelError, StorageError } from '../../src/errors.js';
import {
  convertModel,
  modelInfo,
  openSafetensors,
  readManifest,
  writeSafetensors,
} from '../../src/models/index.js';
import {
  configOf,
  randomFloats,
  randomTensors,
  tinyVit,
  writeRandomVit,
} from '../../scripts/parity/random-vit.js';

let folder: string;
let checkpoint: string;
let count = 0;
let out: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reroll-convert-'));
  checkpoint = await writeRandomVit(join(folder, 'checkpoint'), tinyVit);
});
beforeEach(() => {
  out = join(folder, `out-${++count}`);
});
afterAll(() => rm(folder, { recursive: true }));

const pixels = randomFloats('pixels', 3 * 32 * 32, 1);

async function logits(onnx: string, batch = 1): Promise<number[]> {
  const session = await InferenceSession.create(onnx, { logSeverityLevel: 3 });
  const input = new Float32Array(batch * pixels.length);
  for (let image = 0; image < batch; image++) input.set(pixels, image * pixels.length);
  const results = await session.run({ pixel_values: new Tensor('float32', input, [batch, 3, 32, 32]) });
  await session.release();
  return Array.from(results.logits!.data as Float32Array);
}

const closeTo = (numbers: number[], digits = 5) =>
  numbers.map((number) => expect.closeTo(number, digits) as number);

describe('converting a checkpoint', () => {
  it('writes what transformers.js loads by each dtype', async () => {
    await convertModel(checkpoint, out, { variants: ['fp32', 'fp16', 'int8', 'uint8', 'q8'] });
    const expected = await logits(join(out, 'onnx', 'model.onnx'));
    env.allowRemoteModels = false;
    for (const dtype of ['fp32', 'fp16', 'int8', 'uint8', 'q8'] as const) {
      const model = await AutoModelForImageClassification.from_pretrained(out, {
        dtype,
        local_files_only: true,
      });
      const input = new TransformersTensor('float32', pixels, [1, 3, 32, 32]);
      const result = (await model({ pixel_values: input })) as { logits: TransformersTensor };
      const difference = Math.max(
        ...Array.from(result.logits.data as Float32Array, (value, index) =>
          Math.abs(value - expected[index]!),
        ),
      );
      expect(difference, dtype).toBeLessThan(dtype === 'fp32' ? 1e-6 : dtype === 'fp16' ? 0.01 : 0.1);
      await model.dispose();
    }
  });

  it('makes graphs that take several images at once', async () => {
    await convertModel(checkpoint, out, { variants: ['fp32', 'fp16', 'int8', 'uint8', 'q8'] });
    for (const file of await readdir(join(out, 'onnx'))) {
      const one = await logits(join(out, 'onnx', file));
      expect(await logits(join(out, 'onnx', file), 2), file).toEqual(closeTo([...one, ...one]));
    }
  });

  it('puts weights that are too large for one file into a second', async () => {
    await convertModel(checkpoint, out, { variants: ['fp32', 'q8'], maxInlineBytes: 50_000 });
    expect((await readdir(join(out, 'onnx'))).sort()).toEqual([
      'model.onnx',
      'model.onnx_data',
      'model_quantized.onnx',
    ]);
    const whole = `${out}-whole`;
    await convertModel(checkpoint, whole);
    expect(await logits(join(out, 'onnx', 'model.onnx'))).toEqual(
      closeTo(await logits(join(whole, 'onnx', 'model.onnx')), 6),
    );
    expect((await readManifest(out))!.variants.fp32!.bytes).toBe(
      (await stat(join(out, 'onnx', 'model.onnx'))).size +
        (await stat(join(out, 'onnx', 'model.onnx_data'))).size,
    );
    const model = await AutoModelForImageClassification.from_pretrained(out, {
      dtype: 'fp32',
      local_files_only: true,
    });
    await model.dispose();
  });

  it('reads shards, halves and brain floats like a whole file of floats', async () => {
    const expected = join(folder, 'expected');
    await convertModel(checkpoint, expected, { variants: ['fp32'] });
    const sharded = join(folder, 'sharded');
    await mkdir(sharded);
    for (const name of ['config.json', 'preprocessor_config.json']) {
      await copyFile(join(checkpoint, name), join(sharded, name));
    }
    // Cutting off the lower half of a float's bits makes it a brain float.
    const tensors = randomTensors(tinyVit).map((tensor) => ({
      ...tensor,
      dtype: 'BF16' as const,
      data: async () => {
        const { buffer } = (await tensor.data()) as Float32Array<ArrayBuffer>;
        return new Uint16Array(buffer).filter((_, index) => index % 2 === 1);
      },
    }));
    const weightMap = Object.fromEntries(
      tensors.map(({ name }, index) => [name, `model-${(index % 2) + 1}.safetensors`]),
    );
    for (const shard of [0, 1]) {
      const part = tensors.filter((_, index) => index % 2 === shard);
      await writeSafetensors(join(sharded, `model-${shard + 1}.safetensors`), part);
    }
    await writeFile(join(sharded, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
    await convertModel(sharded, out, { variants: ['fp32'] });
    expect(await logits(join(out, 'onnx', 'model.onnx'))).toEqual(
      closeTo(await logits(join(expected, 'onnx', 'model.onnx')), 1),
    );
  });

  it('says in reroll.json what was made from what', async () => {
    const { manifest } = await convertModel(checkpoint, out, { license: 'mit' });
    expect(manifest).toEqual(await readManifest(out));
    expect(manifest).toMatchObject({ source: checkpoint, license: 'mit', made: 'converted' });
    expect(manifest.revision).toMatch(/^[0-9a-f]{12}$/);
    expect(manifest.variants.q8!.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it('converts in place, beside the checkpoint', async () => {
    const place = await writeRandomVit(join(folder, 'place'), tinyVit);
    await convertModel(place, place);
    expect((await modelInfo(place)).variants.map(({ dtype }) => dtype)).toEqual(['fp32', 'q8']);
  });

  it('stops between two variants when it is told to', async () => {
    const stop = new AbortController();
    const converting = convertModel(checkpoint, out, {
      signal: stop.signal,
      onEvent: ({ kind }) => kind === 'converted' && stop.abort(new Error('stopped')),
    });
    await expect(converting).rejects.toThrow('stopped');
    expect(await readManifest(out)).toBeUndefined();
  });

  it('says so when the disk is full, and leaves no half of a file', async () => {
    const open = fs.open.bind(fs);
    vi.spyOn(fs, 'open').mockImplementation(async (...args) => {
      const file = await open(...args);
      const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      if (String(args[0]).startsWith(out)) vi.spyOn(file, 'write').mockRejectedValue(full);
      return file;
    });
    const error: unknown = await convertModel(checkpoint, out).catch((reason: unknown) => reason);
    vi.restoreAllMocks();
    expect(error).toBeInstanceOf(StorageError);
    expect((error as Error).message).toMatch(/the disk is full/);
    expect(await readdir(join(out, 'onnx'))).toEqual([]);
    expect(await readManifest(out)).toBeUndefined();
  });
});

describe('a checkpoint that cannot be converted', () => {
  async function refusal(change: (config: Record<string, unknown>) => unknown): Promise<string> {
    const bad = join(folder, `bad-${++count}`);
    await mkdir(bad);
    const config = { ...configOf(tinyVit) } as Record<string, unknown>;
    await writeFile(join(bad, 'config.json'), JSON.stringify(change(config) ?? config));
    await copyFile(join(checkpoint, 'preprocessor_config.json'), join(bad, 'preprocessor_config.json'));
    await copyFile(join(checkpoint, 'model.safetensors'), join(bad, 'model.safetensors'));
    const error: unknown = await convertModel(bad, out).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ModelError);
    await expect(access(out)).rejects.toThrow();
    return (error as Error).message;
  }

  it.each<[string, (config: Record<string, unknown>) => unknown, RegExp]>([
    [
      'another architecture',
      (c) => ({ ...c, architectures: ['BeitForImageClassification'], model_type: 'beit' }),
      /BeitForImageClassification .* cannot be converted: reroll converts ViTFor/,
    ],
    ['a backbone', (c) => ({ ...c, architectures: ['ViTModel'] }), /A ViTModel .* cannot be converted/],
    [
      'an architecture and a model_type that disagree',
      (c) => ({ ...c, model_type: 'swin' }),
      /cannot be converted/,
    ],
    ['no architecture', (c) => ({ ...c, architectures: undefined }), /names no architecture/],
    ['no id2label', (c) => ({ ...c, id2label: undefined, label2id: undefined }), /no id2label/],
    ['an empty id2label', (c) => ({ ...c, id2label: {} }), /does not number its labels/],
    ['labels with gaps', (c) => ({ ...c, id2label: { 0: 'a', 2: 'b' } }), /does not number its labels/],
    [
      'more labels than the head has',
      (c) => ({ ...c, id2label: { 0: 'a', 1: 'b', 2: 'c', 3: 'd', 4: 'e' } }),
      /"classifier.weight" has the shape \[4, 32\]; config.json makes it \[5, 32\]/,
    ],
    [
      'more layers than the weights have',
      (c) => ({ ...c, num_hidden_layers: 3 }),
      /no "layers.2.layernorm_before.weight"/,
    ],
    ['another width', (c) => ({ ...c, hidden_size: 64 }), /has the shape/],
    ['heads that do not divide the width', (c) => ({ ...c, num_attention_heads: 5 }), /no multiple of 5/],
    [
      'an activation that nobody knows',
      (c) => ({ ...c, hidden_act: 'mish' }),
      /activation "mish" cannot be converted/,
    ],
    ['sizes that are no numbers', (c) => ({ ...c, patch_size: '16' }), /config.json is unusable/],
    ['another image size', (c) => ({ ...c, image_size: 64 }), /position_embeddings" has the shape/],
    ['a config that is a list', () => [], /names no architecture/],
  ])('refuses %s, and writes nothing', async (_, change, message) => {
    expect(await refusal(change)).toMatch(message);
  });

  it('refuses a head that was never trained, a weight that is there twice, and a file that is cut off', async () => {
    const bad = await writeRandomVit(join(folder, 'bad-weights'), tinyVit);
    const file = join(bad, 'model.safetensors');
    const tensors = randomTensors(tinyVit);
    await writeSafetensors(
      file,
      tensors.filter(({ name }) => !name.startsWith('classifier')),
    );
    await expect(convertModel(bad, out)).rejects.toThrow(/never trained to classify/);
    const twice = { ...tensors[0]!, name: tensors[0]!.name.replace('vit.', '') };
    await writeSafetensors(file, [...tensors, twice]);
    await expect(convertModel(bad, out)).rejects.toThrow(/one weight twice/);
    await writeSafetensors(file, tensors);
    const whole = await readFile(file);
    await writeFile(file, whole.subarray(0, whole.length - 1));
    await expect(convertModel(bad, out)).rejects.toThrow(/cut off/);
    await expect(openSafetensors(join(bad, 'nothing'))).rejects.toThrow(StorageError);
  });

  it('refuses folders without a config, without a preprocessor, without weights, and with weights of PyTorch', async () => {
    const bad = join(folder, 'bare');
    await mkdir(bad);
    await expect(convertModel(bad, out)).rejects.toThrow(/config.json is missing/);
    await copyFile(join(checkpoint, 'config.json'), join(bad, 'config.json'));
    await expect(convertModel(bad, out)).rejects.toThrow(/preprocessor_config.json is missing/);
    await writeFile(join(bad, 'preprocessor_config.json'), '{');
    await expect(convertModel(bad, out)).rejects.toThrow(/is no JSON/);
    await writeFile(join(bad, 'preprocessor_config.json'), '{}');
    await writeFile(join(bad, 'pytorch_model.bin'), '');
    await expect(convertModel(bad, out)).rejects.toThrow(/Only safetensors checkpoints can be converted/);
  });
});
