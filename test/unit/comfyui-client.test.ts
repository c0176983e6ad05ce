import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import sharp from 'sharp';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { resultFiles } from '../../src/backends/comfyui/results.js';
import {
  createBackend,
  describeLacks,
  type ComfyUIOptions,
  type GenerateJob,
} from '../../src/backends/index.js';
import type { ImageRequest } from '../../src/loop/index.js';
import { readTruth, startSketchServer, type SketchOptions } from '../../sketch/index.js';
import { failure, job as anyJob } from '../support/backend-job.js';
import { sendJson, sendText, serve, type Answer } from '../support/http-server.js';
import { addTextChunk, samePixels } from '../../src/images/index.js';
import { testPicture } from '../support/pictures.js';
import { repairGraph, textToImage } from '../support/sketch-graphs.js';
import { changed, rewired } from '../support/workflows.js';

const signal = new AbortController().signal;
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closers.splice(0).reverse()) await close();
});

/** A clock that goes on only when the test says so; real waits stay as they are. */
function stopClock() {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  return (minutes: number) => (now += minutes * 60_000);
}

const id = '00000000-0000-4000-8000-00000000000a';
const workflow = { path: 'hands.api.json', text: JSON.stringify(textToImage(1, 'x')) };
const quick = { pollMs: 10, stallMs: 300 };

function open(url: string, options: Partial<ComfyUIOptions> = {}) {
  const backend = createBackend({ kind: 'comfyui', name: 'comfy', url, workflow, ...quick, ...options });
  closers.push(() => backend.close());
  return backend;
}

const done = (outputs: object, messages: unknown[] = []) => ({
  outputs,
  status: {
    status_str: messages.length > 0 ? 'error' : 'success',
    completed: messages.length === 0,
    messages,
  },
});
const saved = (filename: string, subfolder = '') =>
  done({ '9': { images: [{ filename, subfolder, type: 'output' }] } });
const item = (promptId: string, number = 0) => [number, promptId, {}, {}, ['9']];

/** A backend before a server that has just made `a.png`, but for what the test says. */
async function setup(answers: Record<string, Answer> = {}) {
  const server = await serve({
    '/system_stats': { system: { comfyui_version: '0.3.64' } },
    '/prompt': { prompt_id: id, number: 0, node_errors: {} },
    '/queue': { queue_running: [], queue_pending: [] },
    [`/history/${id}`]: { [id]: saved('a.png') },
    '/view': (response) => response.end('the very bytes'),
    '/object_info/CheckpointLoaderSimple': {
      CheckpointLoaderSimple: {
        input: { required: { ckpt_name: [['hands-v1.safetensors', 'feet.safetensors']] } },
      },
    },
    '/object_info/KSampler': {
      KSampler: { input: { required: { sampler_name: ['COMBO', { options: ['euler', 'dpmpp_2m'] }] } } },
    },
    '/object_info': { KSampler: {}, CheckpointLoaderSimple: {} },
    ...answers,
  });
  closers.push(() => server.close());
  const sent = (path: string) => server.seen.filter((one) => one.path === path && one.method === 'POST');
  return { server, sent, backend: open(server.url) };
}

async function sketch(options: Partial<SketchOptions> = {}) {
  const server = await startSketchServer({ protocol: 'comfyui', ...options });
  closers.push(() => server.close());
  return server;
}

const job = (changes: Partial<ImageRequest> = {}, more: Partial<GenerateJob> = {}) =>
  anyJob(changes, { remoteId: id, attempt: { run: 'r-1', shot: 4, number: 2 }, ...more });

const fails =
  (status: number, body: unknown): Answer =>
  (response) =>
    sendJson(response, body, status);

const queryOf = (response: ServerResponse) =>
  Object.fromEntries(new URL(response.req.url ?? '/', 'http://server').searchParams);

async function folder(files: Record<string, string | Buffer>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'reroll-'));
  closers.push(() => rm(path, { recursive: true }));
  for (const [name, content] of Object.entries(files)) await writeFile(join(path, name), content);
  return path;
}

describe('a prompt', () => {
  it('is posted under our id, for our socket, with whose image it is', async () => {
    const { backend, sent } = await setup();
    const made = await backend.generate(job(), signal);
    expect(sent('/prompt')).toMatchObject([
      {
        body: {
          prompt_id: id,
          client_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
          extra_data: { reroll: { run: 'r-1', shot: 4, number: 2 } },
          prompt: { '9': { inputs: { filename_prefix: 'reroll/r-1/4-2-00000000' } } },
        },
      },
    ]);
    expect(made).toMatchObject({
      seed: 7,
      adopted: false,
      server: { product: 'ComfyUI', version: '0.3.64', checkpoint: 'sketch-hands-v1.safetensors' },
    });
    expect(made.image.toString()).toBe('the very bytes');
  });

  it('of which a part was refused is a failure, and is stopped: the rest is not what was asked for', async () => {
    const errors = [{ type: 'required_input_missing', message: 'Required input is missing', details: 'vae' }];
    const { backend, sent } = await setup({
      '/prompt': { prompt_id: id, node_errors: { '8': { class_type: 'VAEDecode', errors } } },
      [`/api/jobs/${id}/cancel`]: { cancelled: true },
    });
    const error = await failure(backend.generate(job(), signal));
    expect(error).toMatchObject({ fault: 'request' });
    expect(error.message).toMatch(/node 8 \(VAEDecode\).*Required input is missing \(vae\)/);
    expect(sent(`/api/jobs/${id}/cancel`)).toHaveLength(1);
  });

  it('with a checkpoint that the server lacks is refused by node, input and near matches', async () => {
    const extra = { input_name: 'ckpt_name', input_config: null, received_value: 'hands.safetensors' };
    const { backend } = await setup({
      '/prompt': fails(400, {
        error: { type: 'prompt_outputs_failed_validation', message: 'Prompt outputs failed validation' },
        node_errors: {
          '4': {
            class_type: 'CheckpointLoaderSimple',
            errors: [
              { type: 'value_not_in_list', message: 'Value not in list', details: '...', extra_info: extra },
            ],
          },
        },
      }),
    });
    const error = await failure(backend.generate(job(), signal));
    expect(error.fault).toBe('request');
    expect(error.message).toMatch(
      /node 4 \(CheckpointLoaderSimple\), input ckpt_name: the server has no "hands\.safetensors"\. Did you mean hands-v1\.safetensors/,
    );
  });

  it.each([
    ['missing_node_type', { details: "Node ID '#3'", extra_info: { node_id: '3', class_type: 'KSampler' } }],
    ['invalid_prompt', { details: "Node ID '#3'", extra_info: {} }],
  ])('with a node that the server lacks is refused by its class (%s)', async (type, more) => {
    const { backend } = await setup({
      '/prompt': fails(400, { error: { type, message: 'not found', ...more }, node_errors: [] }),
      '/object_info': { KSamplerX: {} },
    });
    const error = await failure(backend.generate(job(), signal));
    expect(error.fault).toBe('request');
    expect(error.message).toMatch(/no node class KSampler, which node 3.*Did you mean KSamplerX/);
  });

  it('under an id of the server’s own (older ones) is awaited under that', async () => {
    const other = randomUUID();
    const answers = {
      '/prompt': { prompt_id: other, node_errors: {} },
      [`/history/${id}`]: {},
      [`/history/${other}`]: { [other]: saved('a.png') },
    };
    const { backend } = await setup({
      ...answers,
      '/system_stats': { system: { comfyui_version: '0.3.40' } },
    });
    expect(await backend.generate(job(), signal)).toMatchObject({ seed: 7 });
    // A newer one keeps ours: another is somebody else's.
    const error = await failure((await setup(answers)).backend.generate(job(), signal));
    expect(error).toMatchObject({ fault: 'transient' });
    expect(error.message).toContain(`under the id ${other}, which is not the one`);
  });

  it('under an id that is a path is asked for as an id', async () => {
    const other = '../../view?filename=x';
    const { backend, server } = await setup({
      '/system_stats': { system: { comfyui_version: '0.3.40' } },
      '/prompt': { prompt_id: other, node_errors: {} },
      [`/history/${encodeURIComponent(other)}`]: { [other]: saved('a.png') },
    });
    expect(await backend.generate(job(), signal)).toMatchObject({ seed: 7 });
    expect(server.seen.filter(({ path }) => path === '/view')).toHaveLength(1);
  });

  it('that fails or is interrupted does so in the server’s words', async () => {
    const ended = (kind: string, data: object) => ({
      [`/history/${id}`]: { [id]: done({}, [[kind, data]]) },
    });
    const node = { node_id: '3', node_type: 'KSampler' };
    const shapes = {
      ...node,
      exception_type: 'RuntimeError',
      exception_message: 'shapes cannot be multiplied',
    };
    const memory = {
      ...node,
      exception_type: 'torch.OutOfMemoryError',
      exception_message: 'Allocation on device',
    };
    for (const [kind, data, words] of [
      ['execution_error', shapes, /node 3 \(KSampler\) failed: RuntimeError: shapes/],
      ['execution_error', memory, /ran out of memory in node 3/],
      ['execution_interrupted', node, /was interrupted/],
    ] as const) {
      const { backend } = await setup(ended(kind, data));
      const error = await failure(backend.generate(job(), signal));
      expect(error.fault).toBe('transient');
      expect(error.message).toMatch(words);
    }
  });

  it('that a restart lost is noticed', async () => {
    const server = await sketch({ latencyMs: 60_000 });
    const backend = open(server.url, { stallMs: 10_000 });
    const begun = new Promise((resolve) => server.once('started', resolve));
    const lost = failure(backend.generate(job(), signal));
    await begun;
    await server.restart();
    const error = await lost;
    expect(error).toMatchObject({ fault: 'transient', unreachable: false });
    expect(error.message).toMatch(/no longer knows/);
  });

  it('that waits behind a long one is not given up while that one goes on', async () => {
    const server = await sketch({ latencyMs: 3_000 });
    const backend = open(server.url, { stallMs: 2_000 });
    const made = [1, 2].map((seed) =>
      backend.generate(job({ seed, steps: 40 }, { remoteId: randomUUID() }), signal),
    );
    expect((await Promise.all(made)).map(({ seed }) => seed)).toEqual([1, 2]);
  });

  it('on a server that went away keeps its id: it may be found there later', async () => {
    const server = await sketch({ latencyMs: 60_000 });
    const backend = open(server.url);
    const begun = new Promise((resolve) => server.once('started', resolve));
    const gone = failure(backend.generate(job(), signal));
    await begun;
    await server.close();
    expect(await gone).toMatchObject({ fault: 'transient', unreachable: true, mayHoldWork: true });
  });

  it('on a server that is slow to answer is awaited as long as one that shows no progress', async () => {
    const advance = stopClock();
    let looks = 0;
    const { server } = await setup({
      '/queue': (response) => {
        advance(2);
        if (++looks < 5) sendText(response, 'busy', 503);
        else sendJson(response, { queue_running: [], queue_pending: [] });
      },
    });
    const made = await open(server.url, { stallMs: 600_000 }).generate(job(), signal);
    expect(made.seed).toBe(7);
  });

  it('on a server that answers no more keeps its id, and is not stopped: it may be done there', async () => {
    const { backend, sent } = await setup({ '/queue': (response) => sendText(response, 'busy', 503) });
    const error = await failure(backend.generate(job(), signal));
    expect(error).toMatchObject({ fault: 'transient', unreachable: false, mayHoldWork: true });
    expect(error.message).toMatch(/could not be asked about its work/);
    expect(sent(`/api/jobs/${id}/cancel`)).toEqual([]);
  });

  it('whose image cannot be fetched now keeps its id; whose file is lost does not', async () => {
    const busy = await setup({ '/view': (response) => sendText(response, 'busy', 503) });
    expect(await failure(busy.backend.generate(job(), signal))).toMatchObject({ mayHoldWork: true });
    const lost = await setup({ '/view': (response) => sendText(response, 'cannot read it', 500) });
    expect(await failure(lost.backend.generate(job(), signal))).toMatchObject({ mayHoldWork: false });
  });

  it('that was not taken has no id to keep', async () => {
    const { backend } = await setup({
      '/prompt': (response) => sendText(response, 'busy', 503),
      [`/history/${id}`]: {},
    });
    expect(await failure(backend.generate(job(), signal))).toMatchObject({ mayHoldWork: false });
  });

  const another = { client_id: 'somebody' };
  it('behind somebody else’s long one waits for its end, which only they are told of', async () => {
    const advance = stopClock();
    let looks = 0;
    const { server } = await setup({
      '/queue': (response) => {
        advance(5);
        const waiting = { queue_running: [[0, 'other', {}, another, []]], queue_pending: [item(id, 1)] };
        sendJson(response, ++looks < 10 ? waiting : { queue_running: [], queue_pending: [] });
      },
    });
    const made = await open(server.url, { stallMs: 600_000 }).generate(job(), signal);
    expect(made.seed).toBe(7);
  });

  it.each([
    ['somebody else’s that never ends', () => another, /no progress for \d+ s: a zombie/, 60],
    ['one of ours that never ends', (ours: string) => ({ client_id: ours }), /a zombie/, 10],
  ])('behind %s is given up in the end', async (_, extra, words, minutes) => {
    const advance = stopClock();
    let waited = 0;
    const { server } = await setup({
      '/queue': (response, { method }) => {
        if (method === 'GET') waited = advance(1) / 60_000;
        const posted = server.seen.find(({ path }) => path === '/prompt')?.body as { client_id: string };
        sendJson(response, {
          queue_running: [[0, 'other', {}, extra(posted.client_id), []]],
          queue_pending: [item(id, 1)],
        });
      },
    });
    const error = await failure(open(server.url, { stallMs: 600_000 }).generate(job(), signal));
    expect(error).toMatchObject({ fault: 'transient', mayHoldWork: false });
    expect(error.message).toMatch(words);
    expect(waited).toBeGreaterThan(minutes);
    expect(waited).toBeLessThan(minutes + 10);
  });
});

describe('a prompt that was sent before', () => {
  it('and has ended is fetched, not sent again', async () => {
    const { backend, sent } = await setup();
    expect(await backend.generate(job({}, { adopt: true }), signal)).toMatchObject({ adopted: true });
    expect(sent('/prompt')).toEqual([]);
  });

  it('and is unknown is sent again, under the same id', async () => {
    const server = await sketch();
    const made = await open(server.url).generate(job({}, { adopt: true }), signal);
    expect(made.adopted).toBe(false);
    expect(server.stats().generated).toEqual({ [id]: 1 });
  });

  it('and was stopped is sent again: who left by force stopped it', async () => {
    const server = await sketch({ latencyMs: 100 });
    const backend = open(server.url);
    const begun = new Promise((resolve) => server.once('started', resolve));
    const leaving = new AbortController();
    const left = backend.generate(job(), leaving.signal).catch(() => undefined);
    await begun;
    leaving.abort();
    await left;
    const made = await backend.generate(job({}, { adopt: true }), signal);
    expect(made.adopted).toBe(false);
    expect(server.stats().generated).toEqual({ [id]: 1 });
  });
});

describe('what the server hands back', () => {
  it.each([
    ['..\\..\\x y+&.png', 'a\\b'],
    ['../../etc/passwd', '..'],
  ])('by the name %s is asked for by just that name, which is no path here', async (filename, subfolder) => {
    let asked: object = {};
    const { backend } = await setup({
      [`/history/${id}`]: { [id]: saved(filename, subfolder) },
      '/view': (response) => {
        asked = queryOf(response);
        response.end('bytes');
      },
    });
    expect((await backend.generate(job(), signal)).image.toString()).toBe('bytes');
    expect(asked).toEqual({ filename, subfolder, type: 'output' });
  });

  it('or does not, is a failure of the moment', async () => {
    const { backend } = await setup({ '/view': (response) => sendText(response, '', 404) });
    const error = await failure(backend.generate(job(), signal));
    expect(error.fault).toBe('transient');
    expect(error.message).toMatch(/made a\.png and does not hand it out/);
  });

  it('is the file itself, with its chunks', async () => {
    const server = await sketch();
    const { image } = await open(server.url).generate(job(), signal);
    expect(readTruth(image)).toMatchObject({ remoteId: id, seed: 7 });
    expect(image.includes('"class_type"')).toBe(true);
  });

  it('stays in its output folder, or leaves nothing there', async () => {
    const server = await sketch();
    const folders = async (of: string) => {
      const reply = await fetch(`${server.url}/history/${of}`).then((answer) => answer.json());
      return [...JSON.stringify(reply).matchAll(/"type":"(output|temp)"/g)].map(([, folder]) => folder);
    };
    const kept = await open(server.url).generate(job(), signal);
    expect(await folders(id)).toEqual(['output']);
    const another = randomUUID();
    const left = await open(server.url, { keepImages: false }).generate(
      job({}, { remoteId: another }),
      signal,
    );
    expect(await folders(another)).toEqual(['temp']);
    expect(await samePixels(kept.image, left.image)).toBe(true);
  });

  it('is the picture of the node that was filled in, and never a preview', () => {
    const image = (filename: string, type: string) => ({ filename, subfolder: '', type });
    const entry = {
      outputs: {
        '1': { images: [image('temp.png', 'temp')], text: ['words'] },
        '2': { images: [null, 'x', image('other.png', 'output')] },
        '9': { images: [image('ours.png', 'output')], animated: [false] },
      },
    };
    const names = (preferred?: string) =>
      resultFiles(entry, preferred, 'output').map(({ filename }) => filename);
    expect(names('9')).toEqual(['ours.png']);
    expect(names()).toEqual(['other.png']);
    expect(resultFiles({ outputs: { '1': entry.outputs['1'], '3': null } }, '1', 'output')).toEqual([]);
  });

  it.each<[string, object]>([
    ['id', { prompt: [1, randomUUID(), {}, { reroll: { run: 'r-1', shot: 4, number: 2 } }, ['9']] }],
    ['shot', { prompt: [1, id, {}, { reroll: { run: 'r-1', shot: 5, number: 2 } }, ['9']] }],
    ['run', { prompt: [1, id, {}, { reroll: { run: 'r-2', shot: 4, number: 2 } }, ['9']] }],
  ])('is refused where its prompt has another %s', async (_, whose) => {
    const { backend } = await setup({ [`/history/${id}`]: { [id]: { ...saved('a.png'), ...whose } } });
    const error = await failure(backend.generate(job(), signal));
    expect(error).toMatchObject({ fault: 'transient' });
    expect(error.message).toContain('sent the image of another request');
  });

  it('is refused where the picture is of another seed or size, and taken where it is ours', async () => {
    const png = (seed: number, side: number, text = JSON.stringify({ '3': { inputs: { seed } } })) =>
      testPicture(side, side)
        .png()
        .toBuffer()
        .then((plain) => addTextChunk(plain, 'prompt', text));
    const made = async (image: Buffer) => {
      const { backend } = await setup({ '/view': (response) => response.end(image) });
      return backend.generate(job(), signal);
    };
    const { width = 0 } = job().request;
    await expect(made(await png(8, width))).rejects.toThrow('seed 7 was asked for, and it is of seed 8');
    await expect(made(await png(7, width + 64))).rejects.toThrow(`it is ${width + 64}x${width + 64}`);
    for (const image of [
      await png(7, width),
      await png(7, width, 'no JSON'),
      await png(7, width, '{"3":{}}'),
      await png(7, width - 8),
    ]) {
      expect((await made(image)).image.equals(image)).toBe(true);
    }
  });

  it('is refused where it is several: none is looked at alone, and asking again makes as many', async () => {
    const image = (filename: string) => ({ filename, subfolder: '', type: 'output' });
    const { backend, server } = await setup({
      [`/history/${id}`]: { [id]: done({ '9': { images: [image('a.png'), image('b.png')] } }) },
    });
    const error = await failure(backend.generate(job(), signal));
    expect(error).toMatchObject({ fault: 'request' });
    expect(error.message).toMatch(/made 2 images for one shot.*'count'/);
    expect(server.seen.some(({ path }) => path === '/view')).toBe(false);
  });

  it('is refused while it is read where it is endless', async () => {
    const chunk = Buffer.alloc(8 * 1024 * 1024);
    const endless: Answer = (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      Readable.from(Array.from({ length: 38 }, () => chunk)).pipe(response); // 300 MiB
    };
    const image = await failure((await setup({ '/view': endless })).backend.generate(job(), signal));
    expect(image).toMatchObject({ fault: 'request' });
    expect(image.message).toMatch(/more than 128 MiB/);
    const queue = await failure((await setup({ '/queue': endless })).backend.generate(job(), signal));
    expect(queue.fault).toBe('transient');
  });
});

describe('stopping a prompt', () => {
  it('is one order where the server knows it', async () => {
    const { backend, sent, server } = await setup({ [`/api/jobs/${id}/cancel`]: { cancelled: false } });
    await backend.cancel(id, signal);
    expect(sent(`/api/jobs/${id}/cancel`)).toHaveLength(1);
    expect(server.seen.map(({ path }) => path)).not.toContain('/queue');
  });

  it('that runs is to interrupt it by its id', async () => {
    const { backend, sent } = await setup({
      '/queue': { queue_running: [item(id)], queue_pending: [] },
      '/interrupt': {},
    });
    await backend.cancel(id, signal);
    expect(sent('/interrupt')).toMatchObject([{ body: { prompt_id: id } }]);
  });

  it('that runs is left undone on a server that would stop whatever runs', async () => {
    const { backend, sent } = await setup({
      '/system_stats': { system: { comfyui_version: '0.3.56' } },
      '/queue': { queue_running: [item(id)], queue_pending: [] },
    });
    await backend.cancel(id, signal);
    expect(sent('/interrupt')).toEqual([]);
  });

  it('that waits is to take it out of the queue, and to look again: it may have begun', async () => {
    const looks = [
      { queue_running: [item('other')], queue_pending: [item(id, 1)] },
      { queue_running: [item(id)], queue_pending: [] },
    ];
    const { backend, sent } = await setup({
      '/queue': (response, { method }) => sendJson(response, method === 'POST' ? {} : (looks.shift() ?? {})),
      '/interrupt': {},
    });
    await backend.cancel(id, signal);
    expect(sent('/queue')).toMatchObject([{ body: { delete: [id] } }]);
    expect(sent('/interrupt')).toMatchObject([{ body: { prompt_id: id } }]);
  });

  it('that is not there stops nobody else’s', async () => {
    const { backend, sent } = await setup({
      '/queue': { queue_running: [item('other')], queue_pending: [item('third', 1)] },
    });
    await backend.cancel(id, signal);
    expect([...sent('/interrupt'), ...sent('/queue')]).toEqual([]);
  });
});

describe('what is behind the URL', () => {
  it('is named where it is a server of the other kind', async () => {
    const server = await startSketchServer({ protocol: 'a1111' });
    closers.push(() => server.close());
    const error = await failure(open(server.url).probe(signal));
    expect(error).toMatchObject({ fault: 'backend' });
    expect(error.message).toMatch(/A1111 family: write "kind: a1111"/);
  });

  it.each([
    [
      'a web page',
      (response: ServerResponse) => sendText(response, '<title>Router</title>'),
      /no ComfyUI.*Router/,
    ],
    ['other JSON', { hello: 1 }, /no ComfyUI server/],
    [
      'a proxy with a password',
      (response: ServerResponse) => sendText(response, 'Who are you?', 401),
      /wants a password \(401: Who are you\?\)\. Give it as the backend's auth/,
    ],
    [
      'a redirect',
      (response: ServerResponse) => response.writeHead(302, { location: 'http://elsewhere.example/' }).end(),
      /redirects to http:\/\/elsewhere\.example/,
    ],
  ])('is refused where it is %s', async (_, answer, words) => {
    const { backend } = await setup({ '/system_stats': answer });
    const error = await failure(backend.probe(signal));
    expect(error.fault).toBe('backend');
    expect(error.message).toMatch(words);
  });
});

describe('what a server lacks', () => {
  it('is found in its own lists: nodes, and files that the workflow names', async () => {
    const server = await sketch();
    const graph = {
      ...textToImage(1, 'x'),
      '20': {
        class_type: 'LoraLoader',
        inputs: { model: ['4', 0], clip: ['4', 1], lora_name: 'sketch-ink-stile.safetensors' },
      },
      '21': { class_type: 'KSamplr', inputs: {} },
    };
    const backend = open(server.url, { workflow: { path: 'w.json', text: JSON.stringify(graph) } });
    const lacks = await backend.missing({ ...job().request, vae: 'v' }, signal);
    expect(lacks).toMatchObject([
      { what: 'input', asked: 'vae', near: [] },
      { what: 'node', asked: 'KSamplr', near: expect.arrayContaining(['KSampler']) as string[] },
      { what: 'lora', asked: 'sketch-ink-stile.safetensors', near: ['sketch-ink-style.safetensors'] },
    ]);
  });

  it('is nothing for names of A1111 that are ComfyUI’s by another name', async () => {
    const server = await sketch();
    const request = { ...job().request, sampler: 'DPM++ 2M SDE Karras' };
    expect(await open(server.url).missing(request, signal)).toEqual([]);
  });

  it('is a picture that its input folder has not, unless the request brings its own', async () => {
    const server = await sketch();
    const graph = changed(textToImage(1, 'x'), {
      '10': { class_type: 'LoadImage', inputs: { image: 'start.png' } },
      '11': { class_type: 'VAEEncode', inputs: { pixels: ['10', 0], vae: ['4', 2] } },
    });
    const started = rewired(graph, '3', { latent_image: ['11', 0] });
    const lacks = async (image: string, changes: Partial<ImageRequest> = {}) => {
      const text = JSON.stringify(rewired(started, '10', { image }));
      const backend = open(server.url, { workflow: { path: 'start.api.json', text } });
      return describeLacks(await backend.missing(job(changes).request, signal));
    };
    expect(await lacks('start.png')).toMatch(/^no picture "start\.png" \(for node 10 \(LoadImage\); it has/);
    expect(await lacks('start.png', { init_image: '/tmp/mine.png' })).toBe('');
    for (const elsewhere of ['sub/start.png', 'start.png [output]']) expect(await lacks(elsewhere)).toBe('');
  });

  it('is a key for nodes that call comfy.org, which goes with the prompt alone', async () => {
    const classes = ['CLIPTextEncode', 'EmptyLatentImage', 'VAEDecode', 'SaveImage'];
    const answers: Record<string, Answer> = {
      ...Object.fromEntries(classes.map((name) => [`/object_info/${name}`, { [name]: {} }])),
      '/object_info/KSampler': { KSampler: { input: { required: {} }, api_node: true } },
    };
    const { backend } = await setup(answers);
    const words = describeLacks(await backend.missing(job().request, signal));
    expect(words).toContain('no key for "KSampler" (for node 3 (KSampler)): it calls comfy.org.');
    const { server, sent } = await setup(answers);
    const keyed = open(server.url, { apiKey: 'comfyui-secret' });
    expect(describeLacks(await keyed.missing(job().request, signal))).not.toContain('key for');
    const made = await keyed.generate(job(), signal);
    expect(sent('/prompt')[0]?.body).toMatchObject({ extra_data: { api_key_comfy_org: 'comfyui-secret' } });
    expect(JSON.stringify(made)).not.toContain('comfyui-secret');
  });

  it('in a newer list is found too', async () => {
    const { backend } = await setup({
      '/object_info/CLIPTextEncode': { CLIPTextEncode: {} },
      '/object_info/EmptyLatentImage': { EmptyLatentImage: {} },
      '/object_info/VAEDecode': { VAEDecode: {} },
      '/object_info/SaveImage': { SaveImage: {} },
    });
    const request = { ...job().request, sampler: 'dpmp_2m', checkpoint: 'feet.safetensors' };
    expect(await backend.missing(request, signal)).toMatchObject([
      { what: 'sampler', asked: 'dpmp_2m', near: ['dpmpp_2m'] },
    ]);
  });
});

describe('a file that a request names', () => {
  const node = (name: string, required: object = {}) => ({
    [`/object_info/${name}`]: { [name]: { input: { required } } },
  });
  const checkpoints = ['a/eyes.ckpt', 'art\\hands.safetensors', 'b/eyes.ckpt'];
  const windows = () =>
    setup({
      ...node('CheckpointLoaderSimple', { ckpt_name: [checkpoints] }),
      ...node('LoraLoader', { lora_name: [['style\\Ink.safetensors']] }),
      ...node('CLIPTextEncode'),
      ...node('EmptyLatentImage'),
      ...node('VAEDecode'),
      ...node('SaveImage'),
    });
  const graph = rewired(
    changed(textToImage(1, 'x'), {
      '20': { class_type: 'LoraLoader', inputs: { model: ['4', 0], clip: ['4', 1], lora_name: 'none' } },
    }),
    '3',
    { model: ['20', 0] },
  );
  const withLora = { workflow: { path: 'w.json', text: JSON.stringify(graph) } };

  it('is found by another spelling, and sent as the server spells it', async () => {
    const { server, sent } = await windows();
    const backend = open(server.url, withLora);
    const request = {
      checkpoint: 'art/Hands.safetensors [0123456789]',
      comfyui: { '20.inputs.lora_name': 'ink' },
    };
    expect(await backend.missing(job(request).request, signal)).toEqual([]);
    const made = await backend.generate(job(request), signal);
    expect(made.server.checkpoint).toBe('art\\hands.safetensors');
    expect(sent('/prompt')).toMatchObject([
      {
        body: {
          prompt: {
            '4': { inputs: { ckpt_name: 'art\\hands.safetensors' } },
            '20': { inputs: { lora_name: 'style\\Ink.safetensors' } },
          },
        },
      },
    ]);
  });

  it('may be named by the workflow alone, as another machine spells it', async () => {
    const { server, sent } = await windows();
    const text = JSON.stringify(rewired(graph, '4', { ckpt_name: 'Hands.ckpt' }));
    const backend = open(server.url, { workflow: { path: 'w.json', text } });
    const { request } = job({ comfyui: { '20.inputs.lora_name': 'ink' } });
    expect(await backend.missing(request, signal)).toEqual([]);
    await backend.generate(job(request), signal);
    expect(sent('/prompt')).toMatchObject([
      { body: { prompt: { '4': { inputs: { ckpt_name: 'art\\hands.safetensors' } } } } },
    ]);
  });

  it('is lacking where two are meant equally, and where none is, with the node that needs it', async () => {
    const { server } = await windows();
    const two = await open(server.url).missing({ ...job().request, checkpoint: 'eyes' }, signal);
    expect(two).toMatchObject([{ what: 'checkpoint', asked: 'eyes', near: ['a/eyes.ckpt', 'b/eyes.ckpt'] }]);
    const text = JSON.stringify(rewired(textToImage(1, 'x'), '4', { ckpt_name: 'zzz' }));
    const written = open(server.url, { workflow: { path: 'w.json', text } });
    expect(describeLacks(await written.missing(job().request, signal))).toBe(
      'no checkpoint "zzz" (for node 4 (CheckpointLoaderSimple); it has a/eyes.ckpt, art\\hands.safetensors, b/eyes.ckpt)',
    );
  });
});

describe('a picture that goes to the server', () => {
  it('to be repaired by a workflow of its own', async () => {
    const server = await sketch();
    const backend = open(server.url);
    const { image } = await backend.generate(job(), signal);
    const dir = await folder({ 'repair.api.json': JSON.stringify(repairGraph('none.png', 1, 'x')) });
    const repair = { with: 'workflow' as const, workflow: join(dir, 'repair.api.json') };
    const repaired = await backend.generate(
      job({ seed: 8 }, { remoteId: randomUUID(), repair: { repair, candidate: image } }),
      signal,
    );
    expect(await sharp(repaired.image).metadata()).toMatchObject({ width: 64, height: 64 });
    expect(JSON.stringify(repaired.sent)).toMatch(/"image":"reroll\/[0-9a-f]{24}\.png"/);
  });

  it('to start from', async () => {
    const server = await sketch();
    const text = JSON.stringify(repairGraph('none.png', 1, 'x'));
    const backend = open(server.url, { workflow: { path: 'i2i.json', text } });
    const png = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    const dir = await folder({ 'red one.png': png });
    const made = await backend.generate(
      job({ init_image: join(dir, 'red one.png'), denoising_strength: 0.3 }),
      signal,
    );
    expect(JSON.stringify(made.sent)).toContain('"denoise":0.3');
    expect(await failure(backend.generate(job({ init_image: join(dir, 'none.png') }), signal))).toMatchObject(
      {
        fault: 'request',
        message: expect.stringContaining('ENOENT') as string,
      },
    );
  });

  it('to be repaired must have a place in the workflow, and no ADetailer', async () => {
    const { backend } = await setup();
    const loader = { class_type: 'LoadImage', inputs: { image: 'a.png' } };
    const dir = await folder({
      'none.api.json': workflow.text,
      'two.api.json': JSON.stringify(changed(textToImage(1, 'x'), { '10': loader, '11': loader })),
      'ui.json': '{"nodes": []}',
    });
    const attempt = (name: string) =>
      failure(
        backend.generate(
          job(
            {},
            {
              repair: {
                repair: { with: 'workflow', workflow: join(dir, name) },
                candidate: Buffer.from('x'),
              },
            },
          ),
          signal,
        ),
      );
    for (const [name, words] of [
      ['none.api.json', /no LoadImage node. Add LoadImage/],
      ['two.api.json', /node 10 \(LoadImage\), node 11 \(LoadImage\).* init_image: "10\.inputs\.image"/],
      ['ui.json', /File > Export \(API\)/],
      ['gone.json', /ENOENT/],
    ] as const) {
      const error = await attempt(name);
      expect(error.fault).toBe('request');
      expect(error.message).toMatch(words);
    }
    const repair = { repair: { with: 'adetailer' as const }, candidate: Buffer.from('x') };
    expect((await failure(backend.generate(job({}, { repair }), signal))).message).toMatch(/no ADetailer/);
  });
});
