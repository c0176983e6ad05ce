import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { ModelError } from '../../src/errors.js';
import { type Manifest, readManifest, resolveModel, verifyModel } from '../../src/models/index.js';
import { writeManifest } from '../../src/base/model-manifest.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reroll-verify-'));
});
afterEach(() => rm(folder, { recursive: true }));

const variant = { file: 'onnx/model.onnx', bytes: 1, sha256: 'a' };
const manifest: Manifest = {
  source: 'me/tiny',
  revision: 'c0ffee',
  made: 'converted',
  variants: { fp32: variant, q8: variant },
};

const scores = (bad: number) =>
  bad > 0.5
    ? [
        { label: 'bad', score: bad },
        { label: 'good', score: 1 - bad },
      ]
    : [
        { label: 'good', score: 1 - bad },
        { label: 'bad', score: bad },
      ];

/** fp32 says what the image is; q8 errs by `error`. */
const classify =
  (error: number) =>
  async (dtype: string, image: number): Promise<{ label: string; score: number }[]> =>
    scores(dtype === 'fp32' ? image : image + error);

describe('verifying a variant', () => {
  it('measures how often two variants agree, and how far they differ', async () => {
    const result = await verifyModel(folder, [0.1, 0.48, 0.9, 0.7], { classify: classify(0.05) });
    expect(result).toMatchObject({ reference: 'fp32', images: 4, agreement: 0.75, passed: false });
    expect(result.largestDifference).toBeCloseTo(0.05);
    const bounds = { agreement: 0.7, largestDifference: 0.06 };
    expect(
      (await verifyModel(folder, [0.48, 0.9, 0.8, 0.7], { classify: classify(0.05), bounds })).passed,
    ).toBe(true);
    const narrow = { agreement: 0.7, largestDifference: 0.04 };
    expect((await verifyModel(folder, [0.9], { classify: classify(0.05), bounds: narrow })).passed).toBe(
      false,
    );
  });

  it('records the outcome, and refuses a variant that failed', async () => {
    await writeManifest(folder, manifest);
    const env = {};
    await verifyModel(folder, [0.1], { classify: classify(0) });
    expect(await resolveModel(folder, { env, dtype: 'q8' })).toBe(folder);
    await verifyModel(folder, [0.1], { classify: classify(0.6) });
    await expect(resolveModel(folder, { env, dtype: 'q8' })).rejects.toThrow(
      /The q8 variant .* disagrees with fp32: the same label on 0.0 % of 1 image,.* 0.600 apart/,
    );
    expect(await resolveModel(folder, { env, dtype: 'fp32' })).toBe(folder);
    expect(await resolveModel(folder, { env })).toBe(folder);
  });

  it('counts a missing label and a score that is no number as the largest difference', async () => {
    const only = async (dtype: string) => (dtype === 'fp32' ? scores(0.9) : [{ label: 'bad', score: 0.9 }]);
    expect((await verifyModel(folder, [1], { classify: only })).largestDifference).toBe(1);
    const broken = async (dtype: string) => (dtype === 'fp32' ? scores(0.9) : scores(NaN));
    expect(await verifyModel(folder, [1], { classify: broken })).toMatchObject({
      largestDifference: 1,
      passed: false,
    });
  });

  it('refuses to pass on no images, and stops when it is told to', async () => {
    await expect(verifyModel(folder, [], { classify: classify(0) })).rejects.toThrow(ModelError);
    const stop = new AbortController();
    const onProgress = () => {
      stop.abort(new Error('stopped'));
    };
    const verifying = verifyModel(folder, [0.1, 0.2], {
      classify: classify(0),
      signal: stop.signal,
      onProgress,
    });
    await expect(verifying).rejects.toThrow('stopped');
  });
});

describe('finding a model', () => {
  it('takes a folder as it is, and a pulled model from the cache', async () => {
    const commit = 'a'.repeat(40);
    const env = { XDG_CACHE_HOME: join(folder, 'cache') };
    const pulled = join(folder, 'cache', 'reroll', 'me--tiny', commit);
    await mkdir(join(pulled, '..', 'refs'), { recursive: true });
    await writeFile(join(pulled, '..', 'refs', 'main'), commit);
    await expect(resolveModel('me/tiny', { env })).rejects.toThrow('reroll model pull me/tiny');
    await mkdir(pulled);
    // A folder without its manifest is a conversion that never finished.
    await expect(resolveModel('me/tiny', { env })).rejects.toThrow('reroll model pull me/tiny');
    await writeManifest(pulled, manifest);
    expect(await resolveModel('me/tiny', { env })).toBe(pulled);
    expect(await resolveModel('me/tiny', { env, revision: commit })).toBe(pulled);
    await expect(resolveModel('me/tiny', { env, revision: 'v2' })).rejects.toThrow('me/tiny --revision v2');
    expect(await resolveModel(pulled, { env })).toBe(pulled);
  });

  it('says what a name must look like', async () => {
    for (const name of ['./nothing', '../up', '/no/such/folder', 'a/b/c']) {
      await expect(resolveModel(name, { env: { HOME: folder } })).rejects.toThrow(
        /neither a folder .* nor a model's name/,
      );
    }
    await expect(resolveModel('hands', { env: { HOME: folder } })).rejects.toThrow(
      'A folder is written as ./hands, a Hub model as owner/name',
    );
  });

  it('says so where reroll.json is broken', async () => {
    await writeFile(join(folder, 'reroll.json'), '{"source":1}');
    await expect(readManifest(folder)).rejects.toThrow(/reroll.json is broken/);
  });
});
