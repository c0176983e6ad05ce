import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openNetwork, type Network } from '../../src/classifier/network.js';
import { parsePreprocessing } from '../../src/classifier/preprocessing.js';
import { Preprocessor } from '../../src/classifier/preprocessor.js';
import { drawing, drawings } from '../../scripts/parity/drawings.js';

interface Case {
  config: object;
  preprocessor: object | null;
  /** Of each drawing, the number of the most probable label, by Python's pixels. */
  labels: string;
}

/** Made by scripts/parity/labels.py. */
const fixtures = new URL('../fixtures/parity/labels.json', import.meta.url);
const cases = JSON.parse(await readFile(fixtures, 'utf8')) as Record<string, Case>;
const folder = fileURLToPath(new URL('../../models/demo', import.meta.url));

let network: Network;
let pictures: Buffer[];
beforeAll(async () => {
  network = await openNetwork({ folder, file: 'onnx/model.onnx', dtype: 'fp32' }, {});
  pictures = [];
  for (let seed = 0; seed < drawings; seed++) pictures.push((await drawing(seed)).pixels);
});
afterAll(() => network.close());

it.each(Object.entries(cases))(
  'sixty drawings get the labels that they get in Python: %s',
  async (_, { config, preprocessor, labels }) => {
    const prepare = new Preprocessor(parsePreprocessing(preprocessor ?? undefined, config));
    const found = [];
    for (const picture of pictures) {
      const logits = Array.from(await network.run((await prepare.prepare(picture))()));
      found.push(logits.indexOf(Math.max(...logits)));
    }
    expect(found.join('')).toBe(labels);
  },
);
