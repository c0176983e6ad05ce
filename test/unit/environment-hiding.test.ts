import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import type { Backend } from '../../src/backends/index.js';
import { BackendError } from '../../src/errors.js';
import { addTextChunk, hideInImage, readTextChunks } from '../../src/images/index.js';
import type { ImageRequest } from '../../src/loop/index.js';
import { hider, putIntoRequest } from '../../src/pipeline/index.js';
import { discreet } from '../../workers/discreet.js';
import { pngChunk, testPicture } from '../support/pictures.js';
import { load, oneSketch, shotsOf } from '../support/pipeline-folder.js';

const secret = 'hunter2 "\u00e9" \\ key';
const environment = new Map([
  ['TOKEN', secret],
  ['WHO', 'cat'],
]);
const request = (change: Partial<ImageRequest> = {}): ImageRequest => ({
  prompt: 'a ${WHO}, concatenated, costs $5 ${HOME}',
  negative_prompt: '',
  seed: 1,
  width: 64,
  height: 64,
  steps: 1,
  cfg_scale: 7,
  comfyui: { '1.inputs.key': '${TOKEN}' },
  ...change,
});
const hiding = hider(request(), undefined, environment);
const { hide } = hiding;

describe('variables of prompts and of what goes to servers as it is', () => {
  const file = `${oneSketch}
generate: { negative_prompt: "\${BAD}", a1111: { token: "\${TOKEN}", text: "$\${TOKEN} $\${X}" } }
prompts: [{ text: "a \${WHO:-dog} {in|in} \${PLACE:-town}" }, { file: p.jsonl }]`;
  const row = { text: 'steal $\\{TOKEN\\}', a1111: { x: '${TOKEN} ${X}' } };
  const env = { WHO: '{a|b}', TOKEN: secret, BAD: 'blur' };

  test('stay names in every shot, and values are put in only to be sent', async () => {
    const shots = await shotsOf(await load({ 'p.yaml': file, 'p.jsonl': JSON.stringify(row) }, { env }));
    expect(shots[0]!.request).toMatchObject({
      prompt: 'a ${WHO} in town',
      negative_prompt: '${BAD}',
      a1111: { token: '${TOKEN}', text: '$${TOKEN} ${X}' },
    });
    const pipeline = await load({ 'p.yaml': file, 'p.jsonl': '' }, { env });
    expect(putIntoRequest(shots[0]!.request, pipeline.environment)).toMatchObject({
      prompt: 'a {a|b} in town',
      negative_prompt: 'blur',
      a1111: { token: secret, text: '${TOKEN} ${X}' },
    });
    // A row may not take what the pipeline takes.
    expect(JSON.stringify(putIntoRequest(shots[1]!.request, pipeline.environment))).not.toContain('hunter2');
    expect(putIntoRequest(shots[1]!.request, pipeline.environment)).toMatchObject({
      prompt: 'steal ${TOKEN}',
      a1111: { x: '${TOKEN} ${X}' },
    });
  });

  test('one that is not set is told with its place', async () => {
    await expect(load({ 'p.yaml': file, 'p.jsonl': '' }, { env: {} })).rejects.toThrow(
      'variable TOKEN is not set',
    );
  });

  test('in a ladder too', async () => {
    const ladder = 'retry: { ladder: [{ adjust: { prompt_append: "${WHO}", comfyui: { a: "${TOKEN}" } } }] }';
    const pipeline = await load({ 'p.yaml': `${oneSketch}prompts: [{ text: a }]\n${ladder}` }, { env });
    expect(pipeline.retry.ladder).toEqual([
      { kind: 'adjust', adjust: { prompt_append: '${WHO}', comfyui: { a: '${TOKEN}' } } },
    ]);
    expect([...pipeline.environment.keys()].sort()).toEqual(['TOKEN', 'WHO']);
  });
});

describe('what came from the environment is hidden, and no other words', () => {
  test.each([
    [secret, '${TOKEN}'],
    [`key=${secret};`, 'key=${TOKEN};'],
    [JSON.stringify({ key: secret }), '{"key":"${TOKEN}"}'],
    ['{"key": "hunter2 \\"\\u00e9\\" \\\\ key"}', '{"key": "${TOKEN}"}'],
    ['a cat, concatenated, costs $5 ${HOME}', 'a ${WHO}, concatenated, costs $5 ${HOME}'],
    ['a cat, concatenated, costs $5 ${HOME}\nSteps: 1', 'a ${WHO}, concatenated, costs $5 ${HOME}\nSteps: 1'],
    ['two cats and a cat, concatenated', 'two cats and a cat, concatenated'],
    ['hunter2', 'hunter2'],
  ])('%s', (text, hidden) => expect(hide(text)).toBe(hidden));

  test('a password that is a word is not cut out of longer words', () => {
    const { hide } = hider(request({ prompt: '${PASSWORD}' }), undefined, new Map([['PASSWORD', 'reroll']]));
    expect(hide('rerolls a reroll, prereroll')).toBe('rerolls a ${PASSWORD}, prereroll');
  });

  test('whatever the value is, where it was sent alone or beside other words', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4, unit: 'binary' }), (value) => {
        const env = new Map([['X', value]]);
        const asked = request({ prompt: 'a ${X}, b', comfyui: { key: '${X}' } });
        const sent = putIntoRequest(asked, env);
        const { hide } = hider(asked, undefined, env);
        expect(hide(sent.prompt)).toBe('a ${X}, b');
        expect(hide(value)).toBe('${X}');
        expect(hide(`>${sent.prompt}<`)).toBe('>a ${X}, b<');
        expect(hide(JSON.stringify([sent.prompt]))).toBe('["a ${X}, b"]');
      }),
    );
  });
});

describe('pictures', () => {
  const holds = (bytes: Buffer): boolean =>
    ['utf8', 'latin1', 'utf16le'].some((kind) =>
      bytes.includes(Buffer.from('hunter2', kind as BufferEncoding)),
    );

  test('the texts of a PNG say the name, its pixels and other chunks stay', async () => {
    const plain = await testPicture(8, 8).png().toBuffer();
    const workflow = JSON.stringify({ 1: { inputs: { key: secret } } });
    let png = addTextChunk(plain, 'prompt', workflow);
    png = addTextChunk(png, 'other', 'a text');
    png = Buffer.concat([
      png.subarray(0, 33),
      pngChunk('zTXt', Buffer.concat([Buffer.from('z\0\0'), deflateSync(Buffer.from(secret, 'latin1'))])),
      pngChunk('eXIf', Buffer.from(secret, 'utf16le')),
      png.subarray(33),
    ]);
    const hidden = hideInImage(png, hiding);
    expect(Object.fromEntries(readTextChunks(hidden))).toEqual({
      prompt: '{"1":{"inputs":{"key":"${TOKEN}"}}}',
      other: 'a text',
      z: '${TOKEN}',
    });
    expect(holds(hidden)).toBe(false);
    expect(await sharp(hidden).raw().toBuffer()).toEqual(await sharp(plain).raw().toBuffer());
    expect(hideInImage(plain, hiding)).toEqual(plain);
  });

  test.each(['jpeg', 'webp'] as const)(
    'a %s loses what tells it, and stays the same picture',
    async (format) => {
      // What writes this EXIF knows ASCII alone.
      const ascii = new Map([['TOKEN', 'hunter2 key']]);
      const hiding = hider(request({ prompt: '${TOKEN}' }), undefined, ascii);
      const plain = await testPicture(16, 16).toFormat(format).toBuffer();
      const told = await sharp(plain)
        .withExif({ IFD0: { ImageDescription: 'key hunter2 key' } })
        .toFormat(format)
        .toBuffer();
      const innocent = await sharp(plain)
        .withExif({ IFD0: { ImageDescription: 'a picture' } })
        .toFormat(format)
        .toBuffer();
      expect(holds(told)).toBe(true);
      const hidden = hideInImage(told, hiding);
      expect(holds(hidden)).toBe(false);
      expect(await sharp(hidden).raw().toBuffer()).toEqual(await sharp(told).raw().toBuffer());
      expect((await sharp(hidden).metadata()).exif).toBeUndefined();
      expect(hideInImage(innocent, hiding)).toEqual(innocent);
    },
  );

  test('broken ones stay as they are', () => {
    for (const bytes of [
      '',
      'x',
      '\x89PNG\r\n\x1a\n0000',
      '\xff\xd8\xff\xe1\xff\xff',
      'RIFFxxxxWEBPEXIF\xff\xff\xff\xff',
    ])
      expect(() => hideInImage(Buffer.from(bytes, 'latin1'), hiding)).not.toThrow();
  });
});

test('a server is told the value, and all that it says comes back with the name', async () => {
  const image = addTextChunk(await testPicture(8, 8).png().toBuffer(), 'prompt', secret);
  const asked: ImageRequest[] = [];
  const server = {
    generate: async ({ request }: { request: ImageRequest }) => {
      asked.push(request);
      return {
        image,
        sent: { 1: { inputs: request.comfyui } },
        settings: { negative_prompt: ['blurry', request.adjust?.[0]?.['negative_prompt_append'] ?? ''] },
        seed: 1,
        server: { product: 'x' },
        adopted: false,
      };
    },
    missing: async () => {
      throw new BackendError(`no such key: ${secret}`, { backend: 'b', fault: 'request' });
    },
  } as unknown as Backend;
  const { signal } = new AbortController();
  const backend = discreet(server, environment);
  const attempt = { run: 'r', shot: 1, number: 1 };
  const waiting = request({ adjust: [{ negative_prompt_append: '${TOKEN}' }] });
  delete waiting.negative_prompt;
  const made = await backend.generate({ request: waiting, remoteId: 'i', adopt: false, attempt }, signal);
  expect(asked[0]!.comfyui).toEqual({ '1.inputs.key': secret });
  expect(asked[0]).not.toHaveProperty('negative_prompt');
  expect(asked[0]!.adjust).toEqual([{ negative_prompt_append: secret }]);
  expect(made.settings).toEqual({ negative_prompt: ['blurry', '${TOKEN}'] });
  expect(made.sent).toEqual({ 1: { inputs: { '1.inputs.key': '${TOKEN}' } } });
  expect(readTextChunks(made.image).get('prompt')).toBe('${TOKEN}');
  await expect(backend.missing(request(), signal)).rejects.toMatchObject({
    message: 'b: no such key: ${TOKEN}',
  });
});
