import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { deflateSync } from 'node:zlib';
import { explain } from '../../src/backends/a1111/faults.js';
import { readReply } from '../../src/backends/a1111/reply.js';
import { checkWhose } from '../../src/backends/a1111/whose.js';
import { describeRefusal, failureOf, toBackendError } from '../../src/backends/comfyui/faults.js';
import { event, history, objectInfo } from '../../src/backends/comfyui/schema.js';
import { near } from '../../src/backends/near.js';
import { BackendError, RerollError, registerSecret } from '../../src/errors.js';
import { addTextChunk, inspectImage, readTextChunks } from '../../src/images/index.js';
import { excerpt, HttpClient, NetError, parseJson, readLines } from '../../src/net/index.js';
import { expandShots, loadPipeline } from '../../src/pipeline/index.js';
import { readRows } from '../../src/pipeline/rows.js';
import { request } from '../../src/runtime/requests.js';
import { pngChunk, testPicture } from '../support/pictures.js';

/** A parser of outside text with what it is usually given, and the marks that its grammar has. */
export interface Parser {
  name: string;
  samples: Buffer[];
  marks: string[];
  /** CPU that it may take; default 2. */
  usPerByte?: number;
  /** What it makes is returned, so that it can be weighed. Throws RerollError, or SyntaxError, for what is bad. */
  read(input: Buffer): unknown;
}

registerSecret('reroll');
registerSecret('me:s3cret-word');

const folder = mkdtempSync(join(tmpdir(), 'reroll-fuzz-'));
export const cleanUp = (): Promise<void> => rm(folder, { recursive: true });

const jsonMarks = [
  '{',
  '}',
  '[',
  ']',
  '[],',
  '{},',
  '{"a":',
  '"',
  '\\',
  '\\"',
  ',',
  ':',
  'NaN,',
  '-Infinity',
  '1e999',
  'null',
  '\\u0000',
  '\ud800',
  ' ',
  '\n',
  '"__proto__":',
];
const utf8 = (...texts: string[]) => texts.map((text) => Buffer.from(text));
const asText = (input: Buffer) => input.toString('utf8');

const infotext =
  'a hand <lora:x:1>, {a|b} __name__\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, Seed: 7, Size: 64x64, Model: hands';
const picture = await testPicture(16, 16).png().toBuffer();
const compressed = pngChunk(
  'zTXt',
  Buffer.concat([Buffer.from('parameters\0\0', 'latin1'), deflateSync(Buffer.alloc(200_000, 'a'))]),
);
const idat = picture.indexOf('IDAT') - 4;
const withTexts = Buffer.concat([picture.subarray(0, idat), compressed, picture.subarray(idat)]);
const http = new HttpClient('http://127.0.0.1:1');
const signal = new AbortController().signal;

const pipeline = `name: fuzz
prompts:
  - text: "a {red|blue} hand"
    matrix: { steps: [1, 2], cfg_scale: [3, 4] }
    count: 2
backends:
  - { name: a, kind: a1111, url: "http://me:pw@127.0.0.1:7860" }
gate:
  model: demo
  reject: [{ label: "bad*", above: 0.5 }]
ladder: [{ attempts: 2, adjust: { cfg_scale: "+1" } }]
`;

export const parsers: Parser[] = [
  {
    name: 'server JSON',
    samples: utf8(
      '{"images":["iVBORw0KGgo="],"info":"{\\"seed\\": 7, \\"all_seeds\\": [7], \\"infotexts\\": [\\"a\\"]}"}',
      '{"p":{"outputs":{"9":{"images":[{"filename":"a.png","subfolder":"","type":"output"}]}},"status":{"status_str":"error","messages":[["execution_error",{"node_id":"3","exception_message":"out of memory"}]]}}}',
      '{"KSampler":{"input":{"required":{"seed":["INT",{"default":0,"max":NaN}],"sampler_name":[["euler"]]}}}}',
      '{"error":{"type":"invalid_prompt","message":"x","details":"#3"},"node_errors":{"3":{"class_type":"K","errors":[{"type":"value_not_in_list","message":"m","details":"d","extra_info":{"input_name":"i","received_value":"v"}}]}}}',
    ),
    marks: jsonMarks,
    async read(input) {
      const value = parseJson(asText(input));
      const entries = Object.values(history.safeParse(value).data ?? {});
      const failures = entries.map((entry) => failureOf('a', entry));
      const refusal = await describeRefusal(value, {}, () => Promise.resolve([]));
      const reply = await readReply('a', value).catch(foreseen);
      return [value, failures, refusal, objectInfo.safeParse(value).data, reply];
    },
  },
  {
    name: 'frames',
    samples: utf8(
      '{"type":"progress","data":{"node":"3","value":1,"max":20,"prompt_id":"p"}}',
      '{"type":"executing","data":{"node":null,"prompt_id":"p"}}',
    ),
    marks: jsonMarks,
    read: (input) => event.safeParse(parseJson(asText(input))).data,
  },
  {
    name: 'error texts',
    samples: utf8(
      '{"error":"OutOfMemoryError","detail":[{"loc":["body","steps"],"msg":"bad"}],"errors":"CUDA out of memory","message":"x"}',
      '<!doctype html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>',
      'RuntimeError: CUDA error: an illegal memory access, see http://me:s3cret-word@host/ password=reroll',
    ),
    marks: [
      ...jsonMarks,
      '<title',
      '<title>',
      '<',
      '>',
      '://',
      'a://b:c@',
      'reroll',
      'password=',
      'me:s3cret-word',
      'Bearer ',
      'aaaa',
      '@',
      '\t',
    ],
    async read(input) {
      const body = asText(input);
      const error = new NetError('status', excerpt(body), { status: 500, body: body.slice(0, 65_536) });
      return [
        await explain('a', http, error, signal, { prompt: 'x' }),
        toBackendError('a', error),
        new BackendError(body, { backend: 'a', fault: 'transient' }),
        near('euler a', [body]),
      ];
    },
  },
  {
    name: 'infotext',
    samples: utf8(infotext),
    marks: ['<', '>', '{', '}', '__', '#', '_a', ', Seed: ', '1', ', Model: ', '\n', 'ﷺ', ' ', '[', 'a'],
    read(input) {
      const text = asText(input);
      const picture = { image: input, size: undefined, infotexts: [text], info: {} };
      checkWhose('a', { prompt: 'a hand', seed: 7 }, picture);
      checkWhose('a', { prompt: text, seed: 7 }, { ...picture, infotexts: [infotext] });
    },
  },
  {
    name: 'PNG chunks',
    samples: [picture, withTexts, addTextChunk(picture, 'workflow', '{"a":1}')],
    marks: [
      '\0\0\0\0tEXt',
      '\0\0\0\x02tEXta\0',
      '\0\0\0\0IDAT',
      'IEND',
      'zTXt',
      'iTXt',
      'acTL',
      '\0',
      compressed.toString('latin1'),
    ],
    async read(input) {
      const texts = readTextChunks(input);
      return [texts, await inspectImage(input).catch(foreseen)];
    },
  },
  {
    name: 'YAML',
    // Its library makes an error of every word that stands wrongly.
    usPerByte: 20,
    samples: utf8(pipeline),
    marks: [
      '{',
      '}',
      '[',
      ']',
      '- ',
      '&a ',
      '*a',
      '<<: *a',
      ': ',
      '|\n',
      '"',
      "'",
      '\n  ',
      '\t',
      '#',
      '!!',
      '!!binary ',
      '? ',
      '---\n',
      '${A:-b}',
      '{a|b}',
      '{1-9$$a|b}',
      '__x__',
      '\u0000',
    ],
    async read(input) {
      const file = join(folder, 'pipeline.yaml');
      await writeFile(file, input);
      return few(expandShots(await loadPipeline(file, { env: {} }), 1));
    },
  },
  {
    name: 'CSV',
    samples: utf8('prompt,steps,seed\n"a, hand",20,7\nb,,\n', 'prompt;cfg_scale\n"x ""y""";7\n'),
    marks: ['"', '""', ',', ';', '\n', '\r\n', '\ufeff', '\0', 'a,', '{a|b}', '[', '{"a":'],
    read: (input) => rows('csv', input),
  },
  {
    name: 'JSONL',
    samples: utf8('{"prompt":"a hand","steps":20}\n{"prompt":"b","tags":["x"]}\n'),
    marks: jsonMarks,
    read: (input) => rows('jsonl', input),
  },
  {
    name: 'socket messages',
    samples: utf8(
      '{"operation":"submit","pipeline":{"name":"a"},"file":"/a","env":{"A":"b"}}\n{"operation":"runs"}\n',
      '{"operation":"shots","run":"a","from":0,"limit":10}\n',
    ),
    marks: jsonMarks,
    async read(input) {
      const asked = [];
      const options = { maxBytes: 256 * 1024, idleMs: Infinity };
      for await (const line of readLines(Readable.from([input]), options)) {
        asked.push(request.safeParse(parseJson(line)).data);
      }
      return asked;
    },
  },
];

async function rows(kind: string, input: Buffer): Promise<unknown> {
  const file = join(folder, `rows.${kind}`);
  await writeFile(file, input);
  return few(readRows(file));
}

async function few(values: AsyncIterable<unknown>): Promise<unknown[]> {
  const first = [];
  for await (const value of values) if (first.push(value) === 1_000) break;
  return first;
}

function foreseen(thrown: unknown): undefined {
  if (!isForeseen(thrown)) throw thrown;
}

/** Bad input is told in an error of ours; broken JSON in JavaScript's own, which callers put into words. */
export const isForeseen = (thrown: unknown): boolean =>
  thrown instanceof RerollError || thrown instanceof SyntaxError;
