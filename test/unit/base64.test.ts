import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { describeBase64, isBase64, withoutBase64 } from '../../src/base/base64.js';
import { withoutLarge } from '../../src/backends/sent.js';
import { addTextChunk, readTextChunks, withoutPictures } from '../../src/images/index.js';
import { hider, putIntoRequest } from '../../src/pipeline/index.js';
import { testPicture } from '../support/pictures.js';
import { load, oneSketch, shotsOf } from '../support/pipeline-folder.js';

const bytes = randomBytes(300_000);
const picture = bytes.toString('base64');
const told = `(picture, 300000 bytes, sha256 ${createHash('sha256').update(bytes).digest('hex')})`;
const start = picture.slice(0, 100);

test('a picture is told from words, and named by its size and its file’s hash', () => {
  expect([picture, `data:image/png;base64,${picture}`].map(isBase64)).toEqual([true, true]);
  expect([picture, `data:image/png;base64,${picture}`].map(describeBase64)).toEqual([told, told]);
  for (const words of ['a hand', 'hand '.repeat(1000), 'a'.repeat(100), ''])
    expect(isBase64(words)).toBe(false);
  expect(
    withoutLarge({ 20: { inputs: { image: picture, more: [`data:image/png;base64,${picture}`] } } }),
  ).toEqual({
    20: { inputs: { image: told, more: [told] } },
  });
});

test('any text is read in one pass', () => {
  const texts = ['a'.repeat(999).concat(' ').repeat(4000), 'data:'.repeat(800_000), 'a'.repeat(4_000_000)];
  // Where one took quadratic time, this would not end.
  expect(texts.map((text) => withoutBase64(text) === text)).toEqual([true, true, false]);
});

test('what the server wrote into its picture is kept without the pictures in it', async () => {
  const plain = await testPicture(64, 64).png().toBuffer();
  const workflow = {
    20: { class_type: 'ETN_LoadImageBase64', inputs: { image: picture } },
    3: { inputs: { seed: 7 } },
  };
  const heavy = addTextChunk(addTextChunk(plain, 'prompt', JSON.stringify(workflow)), 'note', 'a hand');
  const light = withoutPictures(heavy);
  expect(light.length).toBeLessThan(plain.length + 1000);
  expect(JSON.parse(readTextChunks(light).get('prompt') ?? '')).toEqual({
    ...workflow,
    20: { class_type: 'ETN_LoadImageBase64', inputs: { image: told } },
  });
  expect(readTextChunks(light).get('note')).toBe('a hand');
  const untouched = addTextChunk(plain, 'note', 'a hand');
  expect(withoutPictures(untouched)).toBe(untouched);
});

test('a field of the pipeline stands in a shot by its hash, is sent as it is, and hidden in what comes back', async () => {
  const fields = JSON.stringify({ alwayson_scripts: { controlnet: { args: [{ image: picture }] } } });
  const pipeline = await load({
    'p.yaml': `${oneSketch}prompts: [{ text: a, a1111: ${fields} }, { text: b, comfyui: { 20.inputs.image: ${picture} } }]`,
  });
  const shots = await shotsOf(pipeline);
  expect(JSON.stringify(shots)).not.toContain(start);
  const [a, b] = shots.map(({ request }) => putIntoRequest(request, pipeline.environment));
  expect(a?.a1111).toEqual(JSON.parse(fields));
  expect(b?.comfyui).toEqual({ '20.inputs.image': picture });
  const { hide, tells } = hider(shots[1]!.request, undefined, pipeline.environment);
  const reply = JSON.stringify({ 20: { inputs: { image: picture } } });
  expect(tells(reply)).toBe(true);
  expect(hide(reply)).toMatch(/^\{"20":\{"inputs":\{"image":"\$\{picture_[0-9a-f]{16}\}"\}\}\}$/);
});

test('a row that holds one is refused: rows are read once, and it would be kept with every attempt', async () => {
  const row = JSON.stringify({ text: 'a', comfyui: { '20.inputs.image': picture } });
  const pipeline = await load({ 'p.yaml': `${oneSketch}prompts: [{ file: rows.jsonl }]`, 'rows.jsonl': row });
  await expect(shotsOf(pipeline)).rejects.toThrow('rows.jsonl:1: a picture in base64 would be kept');
});
