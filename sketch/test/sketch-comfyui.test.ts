/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-argument, @typescript-eslint/no-unsafe-return, @typescript-eslint/no-unsafe-call -- replies of any shape, judged by the tests */
import { randomUUID } from 'node:crypto';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { readTruth, type Fault, type SketchOptions, type SketchServer } from '../index.js';
import { readTexts } from '../png.js';
import { openServer } from '../server.js';
import { quickArtist } from '../../test/support/quick-artist.js';
import { flux, repairGraph, textToImage, type TestGraph } from '../../test/support/sketch-graphs.js';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(options: Partial<SketchOptions> = {}): Promise<SketchServer> {
  const server = await openServer({ protocol: 'comfyui', ...options }, quickArtist);
  ends.push(() => server.close());
  return server;
}

async function ask(
  server: SketchServer,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: any }> {
  const response = await fetch(
    server.url + path,
    // A restart closes idle connections, so none is kept.
    {
      headers: { connection: 'close' },
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    },
  );
  const text = await response.text();
  return {
    status: response.status,
    body: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text,
  };
}

/** A client of /ws that keeps what it hears. */
class Ear {
  readonly heard: { type: string; data: any }[] = [];
  readonly binary: Buffer[] = [];
  readonly #waiting: { matches: (type: string, data: any) => boolean; resolve: () => void }[] = [];

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) {
        this.binary.push(data);
        return;
      }
      const message = JSON.parse(data.toString()) as { type: string; data: any };
      this.heard.push(message);
      for (const { matches, resolve } of this.#waiting) if (matches(message.type, message.data)) resolve();
    });
  }

  static async open(server: SketchServer, clientId: string): Promise<Ear> {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws?clientId=${clientId}`);
    const ear = new Ear(socket);
    await ear.hears((type) => type === 'status');
    ends.push(() => socket.terminate());
    return ear;
  }

  hears(matches: (type: string, data: any) => boolean): Promise<void> {
    if (this.heard.some(({ type, data }) => matches(type, data))) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ matches, resolve }));
  }

  ended(id: string): Promise<void> {
    return this.hears((type, data) => type === 'executing' && data.node === null && data.prompt_id === id);
  }

  types(): string[] {
    return this.heard.map(({ type }) => type);
  }
}

/** Sends a graph and waits until the history has it. */
async function make(server: SketchServer, graph: TestGraph, id: string = randomUUID()): Promise<any> {
  const finished = end(server, id);
  const reply = await ask(server, '/prompt', { prompt: graph, prompt_id: id, client_id: 'test' });
  expect(reply).toMatchObject({ status: 200, body: { prompt_id: id, node_errors: {} } });
  await finished;
  return (await ask(server, `/history/${id}`)).body[id];
}

function end(server: SketchServer, id: string): Promise<void> {
  return new Promise((resolve) => {
    const listen = (): void =>
      server.once('finished', (finished) => {
        if (finished === id) resolve();
        else listen();
      });
    listen();
  });
}

function begin(server: SketchServer): Promise<void> {
  return new Promise((resolve) => server.once('started', () => resolve()));
}

async function view(server: SketchServer, { filename, subfolder, type }: any): Promise<Buffer> {
  const query = new URLSearchParams({ filename, subfolder, type });
  const response = await fetch(`${server.url}/view?${query.toString()}`);
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}

describe('a prompt', () => {
  it('becomes an image with the graph and the truth in it', async () => {
    const server = await start();
    const id = randomUUID();
    const graph = textToImage('12345', 'run/shot');
    const entry = await make(server, graph, id);
    expect(entry.status).toMatchObject({ status_str: 'success', completed: true });
    expect(entry.outputs['9'].images).toEqual([
      { filename: 'shot_00001_.png', subfolder: 'run', type: 'output' },
    ]);
    expect(entry.meta['9']).toMatchObject({ node_id: '9', real_node_id: '9' });
    const image = await view(server, entry.outputs['9'].images[0]);
    expect(await sharp(image).metadata()).toMatchObject({ width: 64, height: 64, format: 'png' });
    expect(readTruth(image)).toMatchObject({ prompt: 'a hand', seed: 12345, remoteId: id });
    expect(JSON.parse(readTexts(image).get('prompt') ?? '')).toMatchObject({
      '9': { class_type: 'SaveImage' },
    });
    expect(server.stats()).toMatchObject({ images: 1, generated: { [id]: 1 } });
  });

  it('takes a seed of 64 bits as text', async () => {
    const server = await start();
    const entry = await make(server, textToImage('18446744073709551615', 'x'));
    expect(entry.prompt[2]['3'].inputs.seed).toBe('18446744073709551615');
    expect(entry.status.completed).toBe(true);
  });

  it('of Flux runs through guider, noise and sigmas', async () => {
    const server = await start();
    const entry = await make(server, flux(7, 'flux'));
    const image = await view(server, entry.outputs['9'].images[0]);
    expect(readTruth(image)).toMatchObject({ prompt: 'a hand', seed: 7, request: { steps: 4 } });
  });

  it('without a sampler needs no model', async () => {
    const server = await start({ latencyMs: 60_000 });
    const entry = await make(server, {
      '1': { class_type: 'EmptyImage', inputs: { width: 32, height: 16, batch_size: 2, color: 255 } },
      '2': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'empty' } },
    });
    expect(entry.outputs['2'].images.map((image: any) => image.filename)).toEqual([
      'empty_00001_.png',
      'empty_00002_.png',
    ]);
    expect(server.stats().images).toBe(0);
  });
});

describe('the socket', () => {
  it('tells of a prompt in the real order, success before the history', async () => {
    const server = await start({ latencyMs: 200 });
    const ear = await Ear.open(server, 'me');
    const id = randomUUID();
    await ask(server, '/prompt', { prompt: textToImage(1, 'x'), prompt_id: id, client_id: 'me' });
    await ear.ended(id);
    const types = ear.types().filter((type, index, all) => type !== all[index - 1]);
    expect(types[0]).toBe('status');
    const order = ['execution_start', 'execution_cached', 'executing', 'executed', 'execution_success'];
    const places = order.map((type) => types.indexOf(type));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(types.slice(-3)).toEqual(['execution_success', 'status', 'executing']);
    expect(types).toContain('progress');
    expect(types).toContain('progress_state');
    const progress = ear.heard.filter(({ type }) => type === 'progress').map(({ data }) => data);
    expect(progress.at(-1)).toEqual({ value: 8, max: 8, prompt_id: id, node: '3' });
    expect(ear.heard.find(({ type }) => type === 'executed')?.data).toMatchObject({
      node: '9',
      output: { images: [{ filename: 'x_00001_.png' }] },
    });
    expect(ear.binary.length).toBeGreaterThan(0);
    expect([...ear.binary[0]!.subarray(0, 8)]).toEqual([0, 0, 0, 1, 0, 0, 0, 1]);
    expect(await sharp(ear.binary[0]!.subarray(8)).metadata()).toMatchObject({ format: 'jpeg' });
  });

  it('sends previews with metadata to a client that can read them', async () => {
    const server = await start({ latencyMs: 200 });
    const ear = await Ear.open(server, 'me');
    ear.socket.send(JSON.stringify({ type: 'feature_flags', data: { supports_preview_metadata: true } }));
    await ear.hears((type) => type === 'feature_flags');
    const id = randomUUID();
    await ask(server, '/prompt', { prompt: textToImage(1, 'x'), prompt_id: id, client_id: 'me' });
    await ear.ended(id);
    const frame = ear.binary[0]!;
    expect(frame.readUInt32BE(0)).toBe(4);
    const length = frame.readUInt32BE(4);
    expect(JSON.parse(frame.toString('utf8', 8, 8 + length))).toMatchObject({
      prompt_id: id,
      node_id: '3',
      image_type: 'image/jpeg',
    });
  });

  it('keeps other clients out of a prompt, apart from the status', async () => {
    const server = await start();
    const [mine, other] = [await Ear.open(server, 'me'), await Ear.open(server, 'other')];
    const id = randomUUID();
    await ask(server, '/prompt', { prompt: textToImage(1, 'x'), prompt_id: id, client_id: 'me' });
    await mine.ended(id);
    expect(new Set(other.types())).toEqual(new Set(['status']));
  });
});

describe('the cache', () => {
  it('repeats the first files of the same prompt, in no time', async () => {
    const server = await start();
    const first = await make(server, textToImage(1, 'same'));
    const second = await make(server, textToImage(1, 'same'));
    expect(second.outputs).toEqual(first.outputs);
    expect(new Set(second.status.messages[1][1].nodes)).toEqual(new Set(Object.keys(textToImage(1, ''))));
    expect(server.stats().images).toBe(1);
  });

  it('runs only what changed', async () => {
    const server = await start();
    await make(server, textToImage(1, 'one'));
    const second = await make(server, textToImage(1, 'two'));
    expect(second.status.messages[1][1].nodes).not.toContain('9');
    expect(second.outputs['9'].images[0].filename).toBe('two_00001_.png');
    const third = await make(server, textToImage(2, 'one'));
    expect(third.status.messages[1][1].nodes.sort()).toEqual(['4', '5', '6', '7']);
    expect(third.outputs['9'].images[0].filename).toBe('one_00002_.png');
    expect(server.stats().images).toBe(2);
  });
});

describe('validation', () => {
  const cases: [string, (graph: TestGraph) => void, object][] = [
    [
      'an unknown class',
      (graph) => (graph['3']!.class_type = 'Nobody'),
      {
        error: {
          type: 'missing_node_type',
          message: "Node 'Nobody' not found. The custom node may not be installed.",
          details: "Node ID '#3'",
          extra_info: { node_id: '3', class_type: 'Nobody', node_title: 'Nobody' },
        },
        node_errors: {},
      },
    ],
    [
      'no output',
      (graph) => delete graph['9'],
      { error: { type: 'prompt_no_outputs', message: 'Prompt has no outputs' }, node_errors: {} },
    ],
    [
      'a missing input',
      (graph) => delete graph['6']!.inputs['text'],
      {
        error: { type: 'prompt_outputs_failed_validation' },
        node_errors: {
          '6': {
            class_type: 'CLIPTextEncode',
            dependent_outputs: ['9'],
            errors: [{ type: 'required_input_missing', details: 'text', extra_info: { input_name: 'text' } }],
          },
        },
      },
    ],
    [
      'an unknown checkpoint',
      (graph) => (graph['4']!.inputs['ckpt_name'] = 'nobody.safetensors'),
      {
        node_errors: {
          '4': {
            errors: [
              {
                type: 'value_not_in_list',
                details:
                  "ckpt_name: 'nobody.safetensors' not in ['sketch-hands-v1.safetensors', 'sketch-hands-v2.safetensors', " +
                  "'v1-5-pruned-emaonly.safetensors', 'sd_xl_base_1.0.safetensors', 'flux1-dev-fp8.safetensors']",
                extra_info: { input_name: 'ckpt_name', received_value: 'nobody.safetensors' },
              },
            ],
          },
        },
      },
    ],
    [
      'an unknown sampler of a long list',
      (graph) => (graph['3']!.inputs['sampler_name'] = 'Euler a'),
      {
        node_errors: {
          '3': {
            errors: [
              {
                details: "sampler_name: 'Euler a' not in (list of length 44)",
                extra_info: { input_config: null },
              },
            ],
          },
        },
      },
    ],
    [
      'a seed below 0',
      (graph) => (graph['3']!.inputs['seed'] = -1),
      {
        node_errors: {
          '3': { errors: [{ type: 'value_smaller_than_min', message: 'Value -1 smaller than min of 0' }] },
        },
      },
    ],
    [
      'too many steps',
      (graph) => (graph['3']!.inputs['steps'] = 10001),
      { node_errors: { '3': { errors: [{ type: 'value_bigger_than_max' }] } } },
    ],
    [
      'text where a number belongs',
      (graph) => (graph['3']!.inputs['steps'] = 'many'),
      {
        node_errors: {
          '3': {
            errors: [
              {
                type: 'invalid_input_type',
                details: "steps, many, invalid literal for int() with base 10: 'many'",
              },
            ],
          },
        },
      },
    ],
    [
      'a link of the wrong type',
      (graph) => (graph['3']!.inputs['positive'] = ['4', 0]),
      {
        node_errors: {
          '3': {
            errors: [
              {
                type: 'return_type_mismatch',
                details: 'positive, received_type(MODEL) mismatch input_type(CONDITIONING)',
              },
            ],
          },
        },
      },
    ],
    [
      'a link that is no pair',
      (graph) => (graph['3']!.inputs['positive'] = ['4']),
      { node_errors: { '3': { errors: [{ type: 'bad_linked_input' }] } } },
    ],
    [
      'a link to a node that is not there',
      (graph) => (graph['3']!.inputs['positive'] = ['99', 0]),
      { node_errors: { '3': { errors: [{ type: 'exception_during_inner_validation', details: "'99'" }] } } },
    ],
    [
      'a cycle',
      (graph) => {
        graph['5'] = { class_type: 'VAEEncode', inputs: { pixels: ['8', 0], vae: ['4', 2] } };
      },
      { node_errors: { '3': { errors: [{ type: 'dependency_cycle' }] } } },
    ],
    [
      'an input image that is not there',
      (graph) => {
        graph['20'] = { class_type: 'LoadImage', inputs: { image: 'nobody.png' } };
        graph['5'] = { class_type: 'VAEEncode', inputs: { pixels: ['20', 0], vae: ['4', 2] } };
      },
      {
        node_errors: {
          '20': {
            errors: [{ type: 'custom_validation_failed', details: 'image - Invalid image file: nobody.png' }],
          },
        },
      },
    ],
  ];

  it.each(cases)('refuses %s in the server’s words', async (_, spoil, expected) => {
    const server = await start();
    const graph = textToImage(1, 'x');
    spoil(graph);
    const reply = await ask(server, '/prompt', { prompt: graph });
    expect(reply.status).toBe(400);
    expect(reply.body).toMatchObject(expected);
    expect(server.stats().requests).toBe(0);
  });

  it('refuses a prompt_id that is no UUID, and a body without prompt', async () => {
    const server = await start();
    const bad = await ask(server, '/prompt', { prompt: textToImage(1, 'x'), prompt_id: 'mine' });
    expect(bad).toMatchObject({
      status: 400,
      body: { error: { type: 'invalid_prompt_id' }, node_errors: {} },
    });
    expect(await ask(server, '/prompt', {})).toMatchObject({
      status: 400,
      body: { error: { type: 'no_prompt' } },
    });
  });

  it('breaks over a workflow in UI format', async () => {
    const server = await start();
    const reply = await ask(server, '/prompt', { prompt: { nodes: [], links: [], version: 0.4 } });
    expect(reply.status).toBe(500);
    expect(reply.body).toMatch(/^500 Internal Server Error/);
  });

  it('drops an invalid output, runs the valid one, and says so in node_errors of a 200', async () => {
    const server = await start();
    const graph = textToImage(1, 'x');
    graph['10'] = { class_type: 'SaveImage', inputs: { images: ['8', 0] } };
    const reply = await ask(server, '/prompt', { prompt: graph });
    expect(reply.status).toBe(200);
    expect(reply.body.node_errors).toMatchObject({ '10': { errors: [{ type: 'required_input_missing' }] } });
  });
});

describe('the queue', () => {
  it('shows, deletes, interrupts and cancels the prompt that is meant', async () => {
    const server = await start({ latencyMs: 60_000 });
    const begun = begin(server);
    const [a, b, c, d] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
    for (const [index, id] of [a, b, c, d].entries()) {
      await ask(server, '/prompt', {
        prompt: textToImage(index, id),
        prompt_id: id,
        extra_data: { mine: index },
      });
    }
    await begun;
    const queue = (await ask(server, '/queue')).body;
    expect(queue.queue_running.map((item: any) => item[1])).toEqual([a]);
    expect(queue.queue_pending.map((item: any) => item[1])).toEqual([b, c, d]);
    expect(queue.queue_pending[0]).toMatchObject([1, b, { '9': {} }, { mine: 1 }, ['9']]);
    expect((await ask(server, `/history/${a}`)).body).toEqual({});

    expect((await ask(server, '/queue', { delete: [b] })).status).toBe(200);
    await ask(server, '/interrupt', { prompt_id: c });
    expect((await ask(server, '/queue')).body.queue_running[0][1]).toBe(a);
    expect((await ask(server, `/api/jobs/${d}/cancel`, {})).body).toEqual({ cancelled: true });
    expect((await ask(server, `/api/jobs/${d}/cancel`, {})).body).toEqual({ cancelled: false });

    const [ended, next] = [end(server, a), begin(server)];
    await ask(server, '/interrupt', { prompt_id: a });
    await ended;
    await next;
    const entry = (await ask(server, `/history/${a}`)).body[a];
    expect(entry.status).toMatchObject({ status_str: 'error', completed: false });
    expect(entry.status.messages.at(-1)[0]).toBe('execution_interrupted');
    expect((await ask(server, '/queue')).body.queue_running.map((item: any) => item[1])).toEqual([c]);
    expect((await ask(server, `/history/${b}`)).body).toEqual({});
    expect(server.stats().maxHeld).toBe(4);
  });

  it('runs smaller numbers first, and front before all', async () => {
    const server = await start({ latencyMs: 60_000 });
    const begun = begin(server);
    const ids = Array.from({ length: 4 }, () => randomUUID());
    const extras = [{}, {}, { front: true }, { number: 0.5 }];
    for (const [index, extra] of extras.entries()) {
      await ask(server, '/prompt', { prompt: textToImage(index, 'x'), prompt_id: ids[index], ...extra });
    }
    await begun;
    const { queue_pending } = (await ask(server, '/queue')).body;
    expect(queue_pending.map((item: any) => item[1])).toEqual([ids[2], ids[3], ids[1]]);
  });

  it('is let go by a restart, and nothing counts as held any more', async () => {
    const server = await start({ latencyMs: 60_000 });
    const id = randomUUID();
    const ended = end(server, id);
    for (const each of [randomUUID(), id]) {
      await ask(server, '/prompt', { prompt: textToImage(1, each), prompt_id: each });
    }
    await server.restart();
    await ended;
    await ask(server, '/prompt', { prompt: textToImage(1, 'x') });
    expect(server.stats()).toMatchObject({ requests: 3, maxHeld: 2 });
  });

  it('and the history are forgotten by a restart; files are not', async () => {
    const server = await start();
    const id = randomUUID();
    const entry = await make(server, textToImage(1, 'x'), id);
    await server.restart();
    expect((await ask(server, `/history/${id}`)).body).toEqual({});
    await view(server, entry.outputs['9'].images[0]);
    const again = await make(server, textToImage(1, 'x'));
    expect(again.outputs['9'].images[0].filename).toBe('x_00002_.png');
  });
});

describe('faults', () => {
  async function meet(fault: Fault, options: Partial<SketchOptions> = {}) {
    const server = await start(options);
    server.nextFault(fault);
    const id = randomUUID();
    const prompt = { prompt: textToImage(1, 'x'), prompt_id: id, client_id: 'me' };
    return { server, id, prompt };
  }

  it('execution-error and out-of-memory end in the history with the exception', async () => {
    for (const [fault, type] of [
      ['execution-error', 'RuntimeError'],
      ['out-of-memory', 'torch.OutOfMemoryError'],
    ] as const) {
      const { server, id, prompt } = await meet(fault);
      const ear = await Ear.open(server, 'me');
      await ask(server, '/prompt', prompt);
      await ear.ended(id);
      const entry = (await ask(server, `/history/${id}`)).body[id];
      expect(entry.status.status_str).toBe('error');
      expect(entry.status.messages.at(-1)).toMatchObject([
        'execution_error',
        { node_id: '3', node_type: 'KSampler', exception_type: type },
      ]);
      expect(ear.types()).toContain('execution_error');
    }
  });

  it('interrupted ends as if somebody had pressed the button', async () => {
    const { server, id, prompt } = await meet('interrupted');
    const ended = end(server, id);
    await ask(server, '/prompt', prompt);
    await ended;
    const entry = (await ask(server, `/history/${id}`)).body[id];
    expect(entry.status.messages.at(-1)[0]).toBe('execution_interrupted');
  });

  it('error, rate-limited and html refuse the prompt; nothing is queued', async () => {
    for (const [fault, status, words] of [
      ['error', 500, /^500 Internal/],
      ['rate-limited', 429, /Too Many Requests/],
      ['html', 200, /^<html>/],
    ] as const) {
      const { server, prompt } = await meet(fault, { latencyMs: 60_000 });
      const reply = await ask(server, '/prompt', prompt);
      expect(reply.status).toBe(status);
      expect(reply.body).toMatch(words);
      expect((await ask(server, '/queue')).body).toEqual({ queue_running: [], queue_pending: [] });
    }
  });

  it('disconnect breaks the connection although the prompt is queued', async () => {
    const { server, id, prompt } = await meet('disconnect');
    const ended = end(server, id);
    await expect(ask(server, '/prompt', prompt)).rejects.toThrow();
    await ended;
    expect((await ask(server, `/history/${id}`)).body[id].status.completed).toBe(true);
  });

  it('lost accepts the prompt and knows nothing of it afterwards', async () => {
    const { server, id, prompt } = await meet('lost');
    expect((await ask(server, '/prompt', prompt)).body.prompt_id).toBe(id);
    expect((await ask(server, '/queue')).body).toEqual({ queue_running: [], queue_pending: [] });
    expect((await ask(server, `/history/${id}`)).body).toEqual({});
  });

  it('zombie never starts the prompt nor the next, until it is deleted', async () => {
    const { server, id, prompt } = await meet('zombie');
    await ask(server, '/prompt', prompt);
    const next = randomUUID();
    const ended = end(server, next);
    await ask(server, '/prompt', { prompt: textToImage(2, 'y'), prompt_id: next });
    const { queue_running, queue_pending } = (await ask(server, '/queue')).body;
    expect([queue_running.length, queue_pending.length]).toEqual([0, 2]);
    await ask(server, '/queue', { delete: [id] });
    await ended;
    expect((await ask(server, `/history/${next}`)).body[next].status.completed).toBe(true);
  });

  it('hang runs until it is interrupted', async () => {
    const { server, id, prompt } = await meet('hang');
    const [begun, ended] = [begin(server), end(server, id)];
    await ask(server, '/prompt', prompt);
    await begun;
    expect((await ask(server, '/queue')).body.queue_running).toHaveLength(1);
    await ask(server, '/interrupt', { prompt_id: id });
    await ended;
    expect(server.stats().images).toBe(0);
  });

  it('mute-socket says nothing about the prompt, and the history has it', async () => {
    const { server, id, prompt } = await meet('mute-socket');
    const ear = await Ear.open(server, 'me');
    const ended = end(server, id);
    await ask(server, '/prompt', prompt);
    await ended;
    expect((await ask(server, `/history/${id}`)).body[id].status.completed).toBe(true);
    expect(new Set(ear.types())).toEqual(new Set(['status']));
  });

  it('garbage-socket sends frames that mean nothing, and the prompt succeeds', async () => {
    const { server, id, prompt } = await meet('garbage-socket');
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/ws?clientId=me`);
    ends.push(() => socket.terminate());
    const frames: string[] = [];
    socket.on('message', (data: Buffer) => frames.push(data.toString()));
    await new Promise((resolve) => socket.once('open', resolve));
    const garbage = new Promise<void>((resolve) =>
      socket.on('message', (data: Buffer) => data.toString() === 'not json' && resolve()),
    );
    const ended = end(server, id);
    await ask(server, '/prompt', prompt);
    await Promise.all([garbage, ended]);
    expect((await ask(server, `/history/${id}`)).body[id].status.completed).toBe(true);
  });

  it('truncated and black spoil the file only', async () => {
    const server = await start();
    server.nextFault('truncated');
    const cut = await make(server, textToImage(1, 'cut'));
    const truncated = await view(server, cut.outputs['9'].images[0]);
    await expect(sharp(truncated, { failOn: 'truncated' }).raw().toBuffer()).rejects.toThrow();
    server.nextFault('black');
    const dark = await make(server, textToImage(2, 'dark'));
    const { channels } = await sharp(await view(server, dark.outputs['9'].images[0])).stats();
    expect(channels.slice(0, 3).map(({ max }) => max)).toEqual([0, 0, 0]);
  });
});

describe('repair', () => {
  it('repairs most bad hands that come back by upload or as [output], always the same ones', async () => {
    const server = await start({ badRate: 1 });
    const entry = await make(server, textToImage(5, 'bad'));
    const { filename } = entry.outputs['9'].images[0];
    const bad = await view(server, entry.outputs['9'].images[0]);
    expect(readTruth(bad)?.truth.anatomy).toBe('bad');

    const form = new FormData();
    form.append('image', new Blob([bad]), 'candidate.png');
    form.append('subfolder', 'reroll');
    const upload = await fetch(`${server.url}/upload/image`, { method: 'POST', body: form });
    expect(await upload.json()).toEqual({ name: 'candidate.png', subfolder: 'reroll', type: 'input' });

    const repair = async (image: string, seed: number, prefix: string): Promise<string | undefined> => {
      const repaired = await make(server, repairGraph(image, seed, prefix));
      return readTruth(await view(server, repaired.outputs['9'].images[0]))?.truth.anatomy;
    };
    const results: (string | undefined)[] = [];
    for (let seed = 0; seed < 12; seed++)
      results.push(await repair(`${filename} [output]`, seed, `a${seed}`));
    const good = results.filter((anatomy) => anatomy === 'good').length;
    expect(good).toBeGreaterThan(4);
    expect(good).toBeLessThan(12);
    for (let seed = 0; seed < 12; seed++) {
      expect(await repair('reroll/candidate.png', seed, `b${seed}`)).toBe(results[seed]);
    }
  });

  it('gives an upload another name where a different file has its own', async () => {
    const server = await start();
    const upload = async (bytes: string): Promise<any> => {
      const form = new FormData();
      form.append('image', new Blob([bytes]), 'a.png');
      return (await fetch(`${server.url}/upload/image`, { method: 'POST', body: form })).json();
    };
    expect(await upload('one')).toMatchObject({ name: 'a.png' });
    expect(await upload('one')).toMatchObject({ name: 'a.png' });
    expect(await upload('two')).toMatchObject({ name: 'a (1).png' });
  });
});

describe('the rest of the API', () => {
  it('describes nodes and itself', async () => {
    const server = await start();
    const { KSampler } = (await ask(server, '/object_info/KSampler')).body;
    expect(KSampler).toMatchObject({
      input: { required: { seed: ['INT', { min: 0 }], sampler_name: [expect.arrayContaining(['euler'])] } },
      output: ['LATENT'],
      output_node: false,
    });
    expect((await ask(server, '/object_info/Nobody')).body).toEqual({});
    expect(Object.keys((await ask(server, '/api/object_info')).body)).toContain('SamplerCustomAdvanced');
    expect((await ask(server, '/system_stats')).body.system.comfyui_version).toMatch(/sketch/);
    expect((await ask(server, '/nothing')).status).toBe(404);
    expect(await (await fetch(server.url)).text()).toContain('not a diffusion model');
  });

  it('refuses file names that leave the folder, and pages of other origins', async () => {
    const server = await start();
    expect((await ask(server, '/view?filename=../x.png')).status).toBe(400);
    expect((await ask(server, '/view?filename=x.png&subfolder=../..')).status).toBe(403);
    expect((await ask(server, '/view?filename=x.png')).status).toBe(404);
    const foreign = await fetch(`${server.url}/queue`, { headers: { origin: 'http://evil.example' } });
    expect(foreign.status).toBe(403);
  });
});
