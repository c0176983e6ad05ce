/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-argument, @typescript-eslint/no-unsafe-return -- replies of any shape, judged by the tests */
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { readTruth, type SketchOptions, type SketchServer } from '../index.js';
import { readTexts } from '../png.js';
import { openServer } from '../server.js';
import { quickArtist } from '../../test/support/quick-artist.js';

const servers: SketchServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(options: Partial<SketchOptions> = {}): Promise<SketchServer> {
  const server = await openServer(options, quickArtist);
  servers.push(server);
  return server;
}

interface Reply {
  status: number;
  body: any;
}

async function ask(
  server: SketchServer,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const response = await fetch(
    server.url + path,
    body === undefined ? { headers } : { method: 'POST', body: JSON.stringify(body), headers },
  );
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

const small = { width: 64, height: 64, steps: 20, seed: 7, prompt: 'a hand' };

const imageOf = (reply: Reply, index = 0): Buffer => Buffer.from(reply.body.images[index], 'base64');

function started(server: SketchServer): Promise<void> {
  return new Promise((resolve) => server.once('started', () => resolve()));
}

describe('txt2img', () => {
  it('answers with the image, the request, and info as a string', async () => {
    const server = await start();
    const reply = await ask(server, '/sdapi/v1/txt2img', {
      ...small,
      negative_prompt: 'extra fingers',
      sampler_name: 'Euler a',
      scheduler: 'karras',
      force_task_id: 'mine',
    });
    expect(reply.status).toBe(200);
    expect(reply.body.images[0]).not.toMatch(/^data:/);
    expect(reply.body.parameters).toMatchObject({ seed: 7, cfg_scale: 7, steps: 20, sampler_index: 'Euler' });
    const info = JSON.parse(reply.body.info);
    expect(info).toMatchObject({
      seed: 7,
      all_seeds: [7],
      sampler_name: 'Euler a',
      sd_model_name: 'sketch-hands-v1',
      index_of_first_image: 0,
    });
    expect(info.version).toMatch(/^sketch .*not a diffusion model/);
    const parameters = readTexts(imageOf(reply)).get('parameters');
    expect(parameters).toBe(info.infotexts[0]);
    expect(parameters).toMatch(
      /^a hand\nNegative prompt: extra fingers\nSteps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7\.0, Seed: 7, Size: 64x64, Model hash: [0-9a-f]{10}, Model: sketch-hands-v1, Version: sketch/,
    );
    expect(readTruth(imageOf(reply))).toMatchObject({ prompt: 'a hand', seed: 7, remoteId: 'mine' });
    expect(await sharp(imageOf(reply)).metadata()).toMatchObject({ width: 64, height: 64, format: 'png' });
  });

  it('makes the same bytes of the same request', async () => {
    const server = await start();
    const once = await ask(server, '/sdapi/v1/txt2img', { ...small, force_task_id: 'a' });
    const again = await ask(server, '/sdapi/v1/txt2img', { ...small, force_task_id: 'a' });
    expect(again.body.images).toEqual(once.body.images);
  });

  it('draws a new seed for -1 and says which', async () => {
    const server = await start();
    const reply = await ask(server, '/sdapi/v1/txt2img', { ...small, seed: -1 });
    expect(JSON.parse(reply.body.info).seed).toBe(readTruth(imageOf(reply))?.seed);
    expect(JSON.parse(reply.body.info).seed).toBeGreaterThanOrEqual(0);
  });

  it('makes n_iter times batch_size images, each with its own seed', async () => {
    const server = await start();
    const reply = await ask(server, '/sdapi/v1/txt2img', { ...small, n_iter: 2, batch_size: 2 });
    expect(JSON.parse(reply.body.info).all_seeds).toEqual([7, 8, 9, 10]);
    expect([0, 1, 2, 3].map((index) => readTruth(imageOf(reply, index))?.seed)).toEqual([7, 8, 9, 10]);
  });

  it('puts a grid before the images when it is asked to save them', async () => {
    const server = await start();
    const reply = await ask(server, '/sdapi/v1/txt2img', { ...small, n_iter: 2, save_images: true });
    const info = JSON.parse(reply.body.info);
    expect(info.index_of_first_image).toBe(1);
    expect(reply.body.images).toHaveLength(3);
    expect(info.infotexts).toHaveLength(3);
    expect(await sharp(imageOf(reply, 0)).metadata()).toMatchObject({ width: 128, height: 64 });
    expect([1, 2].map((index) => readTruth(imageOf(reply, index))?.seed)).toEqual(info.all_seeds);
  });

  it('replaces an unknown sampler and drops an unknown checkpoint without a word', async () => {
    const server = await start();
    const reply = await ask(server, '/sdapi/v1/txt2img', {
      ...small,
      sampler_name: 'k_euler_a',
      override_settings: { sd_model_checkpoint: 'nobody has this' },
    });
    expect(JSON.parse(reply.body.info)).toMatchObject({
      sampler_name: 'DPM++ 2M',
      sd_model_name: 'sketch-hands-v1',
    });
  });

  it('splits "DPM++ 2M Karras" into a sampler and a scheduler', async () => {
    const server = await start();
    const reply = await ask(server, '/sdapi/v1/txt2img', { ...small, sampler_name: 'DPM++ 2M Karras' });
    expect(JSON.parse(reply.body.info).infotexts[0]).toContain('Sampler: DPM++ 2M, Schedule type: Karras');
  });

  it('uses the checkpoint of override_settings by any of its names, for that request only', async () => {
    const server = await start();
    const models = await ask(server, '/sdapi/v1/sd-models');
    const { title, hash } = models.body[1];
    for (const alias of [title, hash, 'sketch-hands-v2', 'sketch-hands-v2.safetensors']) {
      const reply = await ask(server, '/sdapi/v1/txt2img', {
        ...small,
        override_settings: { sd_model_checkpoint: alias },
      });
      expect(JSON.parse(reply.body.info).sd_model_name).toBe('sketch-hands-v2');
    }
    const next = await ask(server, '/sdapi/v1/txt2img', small);
    expect(JSON.parse(next.body.info).sd_model_name).toBe('sketch-hands-v1');
  });

  it('refuses what the real server refuses, in its words', async () => {
    const server = await start();
    const cases: [unknown, number, unknown][] = [
      [
        { ...small, steps: 'many' },
        422,
        {
          detail: [
            { loc: ['body', 'steps'], msg: 'value is not a valid integer', type: 'type_error.integer' },
          ],
        },
      ],
      [
        { ...small, alwayson_scripts: { nobody: {} } },
        422,
        { error: 'HTTPException', detail: "Script 'nobody' not found", body: '', errors: '' },
      ],
      [
        { ...small, override_settings: { nobody: 1 } },
        500,
        { error: 'KeyError', detail: '', body: '', errors: "'nobody'" },
      ],
      [
        { ...small, enable_hr: true, hr_upscaler: 'nobody' },
        500,
        { error: 'Exception', detail: '', body: '', errors: 'could not find upscaler named nobody' },
      ],
    ];
    for (const [request, status, body] of cases) {
      expect(await ask(server, '/sdapi/v1/txt2img', request)).toEqual({ status, body });
    }
    expect(await ask(server, '/sdapi/v1/img2img', small)).toEqual({
      status: 404,
      body: { error: 'HTTPException', detail: 'Init image not found', body: '', errors: '' },
    });
    expect(await ask(server, '/sdapi/v1/nothing')).toEqual({ status: 404, body: { detail: 'Not Found' } });
  });
});

describe('the lock', () => {
  it('serves requests one at a time in the order they came', async () => {
    const server = await start({ latencyMs: 20 });
    const order: string[] = [];
    await Promise.all(
      ['a', 'b', 'c'].map(async (id) => {
        await ask(server, '/sdapi/v1/txt2img', { ...small, force_task_id: id });
        order.push(id);
      }),
    );
    expect([...order].sort()).toEqual(['a', 'b', 'c']);
    const stats = server.stats();
    expect(stats).toMatchObject({ images: 3, requests: 3, generated: { a: 1, b: 1, c: 1 } });
    expect(stats.maxHeld).toBeGreaterThan(1);
    expect(stats.busyMs).toBeGreaterThanOrEqual(60);
  });

  it('counts the loading of another checkpoint as work, and loads it only once', async () => {
    const server = await start({ reloadMs: 50 });
    const other = { ...small, override_settings: { sd_model_checkpoint: 'sketch-hands-v2' } };
    await ask(server, '/sdapi/v1/txt2img', other);
    const { busyMs } = server.stats();
    expect(busyMs).toBeGreaterThanOrEqual(50);
    await ask(server, '/sdapi/v1/txt2img', other);
    expect(server.stats().busyMs - busyMs).toBeLessThan(50);
  });

  it('lets a generation run to its end when its client goes away', async () => {
    const server = await start({ latencyMs: 50 });
    const begun = started(server);
    const finished = new Promise<void>((resolve) => server.once('finished', () => resolve()));
    const client = new AbortController();
    const reply = fetch(`${server.url}/sdapi/v1/txt2img`, {
      method: 'POST',
      body: JSON.stringify({ ...small, force_task_id: 'left' }),
      signal: client.signal,
    });
    await begun;
    client.abort();
    await expect(reply).rejects.toThrow();
    await finished;
    expect(server.stats().generated).toEqual({ left: 1 });
  });
});

describe('progress and interruption', () => {
  it('reports the share, the state and a live preview of what is being made', async () => {
    const server = await start({ latencyMs: 60_000 });
    const begun = started(server);
    const reply = ask(server, '/sdapi/v1/txt2img', { ...small, force_task_id: 'seen' });
    await begun;
    const second = ask(server, '/sdapi/v1/txt2img', { ...small, force_task_id: 'waiting' });
    const progress = await ask(server, '/sdapi/v1/progress');
    expect(progress.body.state).toMatchObject({ job: 'scripts_txt2img', job_count: 1, sampling_steps: 20 });
    expect(progress.body.progress).toBeGreaterThan(0);
    expect(progress.body.progress).toBeLessThan(1);
    expect((await ask(server, '/sdapi/v1/progress?skip_current_image=true')).body.current_image).toBeNull();
    const mine = await ask(server, '/internal/progress', { id_task: 'seen' });
    expect(mine.body).toMatchObject({ active: true, queued: false, completed: false });
    const other = await ask(server, '/internal/progress', { id_task: 'waiting' });
    expect(other.body).toMatchObject({ active: false, queued: true, textinfo: 'In queue: 1/1' });

    const next = started(server);
    expect(await ask(server, '/sdapi/v1/interrupt', {})).toEqual({ status: 200, body: {} });
    expect((await reply).status).toBe(200);
    await next;
    await ask(server, '/sdapi/v1/interrupt', {});
    await second;
    expect((await ask(server, '/internal/progress', { id_task: 'seen' })).body).toMatchObject({
      completed: true,
    });
    expect((await ask(server, '/sdapi/v1/progress')).body).toMatchObject({
      progress: 0,
      state: { job_count: 0, interrupted: true },
    });
  });

  it('answers an interrupted generation with 200 and a half-denoised picture of the right size', async () => {
    const server = await start({ latencyMs: 60_000 });
    const begun = started(server);
    const reply = ask(server, '/sdapi/v1/txt2img', small);
    await begun;
    await ask(server, '/sdapi/v1/interrupt', {});
    const { status, body } = await reply;
    expect(status).toBe(200);
    const image = Buffer.from(body.images[0], 'base64');
    expect(await sharp(image).metadata()).toMatchObject({ width: 64, height: 64 });
    const { entropy } = await sharp(image).stats();
    expect(entropy).toBeGreaterThan(2); // the quick artist's flat colour has none
  });
});

describe('faults', () => {
  it('happen to the very next generation and to no other', async () => {
    const server = await start();
    server.nextFault('error');
    const broken = await ask(server, '/sdapi/v1/txt2img', small);
    expect(broken.status).toBe(500);
    expect(broken.body).toMatchObject({ error: 'RuntimeError', detail: '', body: '' });
    expect((await ask(server, '/sdapi/v1/txt2img', small)).status).toBe(200);
  });

  it('out-of-memory answers 500 with the class name in error and the words in errors', async () => {
    const server = await start();
    server.nextFault('out-of-memory');
    const reply = await ask(server, '/sdapi/v1/txt2img', small);
    expect(reply.status).toBe(500);
    expect(reply.body.error).toBe('OutOfMemoryError');
    expect(reply.body.errors).toMatch(/^CUDA out of memory/);
  });

  it('html answers with a page', async () => {
    const server = await start();
    server.nextFault('html');
    const response = await fetch(`${server.url}/sdapi/v1/txt2img`, {
      method: 'POST',
      body: JSON.stringify(small),
    });
    expect(response.headers.get('content-type')).toMatch(/html/);
    expect(await response.text()).toMatch(/^<html>/);
  });

  it('disconnect breaks the connection although the image is made', async () => {
    const server = await start();
    const finished = new Promise<void>((resolve) => server.once('finished', () => resolve()));
    server.nextFault('disconnect');
    await expect(ask(server, '/sdapi/v1/txt2img', small)).rejects.toThrow();
    await finished;
    expect(server.stats().images).toBe(1);
  });

  it('truncated, black and interrupted spoil the picture and still answer 200', async () => {
    const server = await start();
    server.nextFault('truncated');
    server.nextFault('black');
    server.nextFault('interrupted');
    const truncated = imageOf(await ask(server, '/sdapi/v1/txt2img', small));
    await expect(sharp(truncated, { failOn: 'truncated' }).raw().toBuffer()).rejects.toThrow();
    const black = await sharp(imageOf(await ask(server, '/sdapi/v1/txt2img', small))).stats();
    expect(black.channels.slice(0, 3).map((channel) => channel.max)).toEqual([0, 0, 0]);
    expect((await ask(server, '/sdapi/v1/txt2img', small)).status).toBe(200);
    expect((await ask(server, '/sdapi/v1/progress')).body.state.interrupted).toBe(true);
  });

  it('hang makes the image and never answers', async () => {
    const server = await start();
    const finished = new Promise<void>((resolve) => server.once('finished', () => resolve()));
    server.nextFault('hang');
    const client = new AbortController();
    const reply = fetch(`${server.url}/sdapi/v1/txt2img`, {
      method: 'POST',
      body: JSON.stringify(small),
      signal: client.signal,
    });
    await finished;
    client.abort();
    await expect(reply).rejects.toThrow();
    expect(server.stats().images).toBe(1);
  });

  it('substituted uses something else than was asked for, and its infotext admits it', async () => {
    const server = await start();
    const seen = new Set<string>();
    for (let seed = 0; seed < 12; seed++) {
      server.nextFault('substituted');
      const request = { ...small, seed, sampler_name: 'Euler' };
      const info = JSON.parse((await ask(server, '/sdapi/v1/txt2img', request)).body.info);
      const differs = [
        info.sampler_name === 'Euler' ? '' : 'sampler',
        info.seed === seed ? '' : 'seed',
        info.sd_model_name === 'sketch-hands-v1' ? '' : 'checkpoint',
      ].filter((word) => word !== '');
      expect(differs).toHaveLength(1);
      differs.forEach((word) => seen.add(word));
    }
    expect(seen.size).toBe(3);
  });

  it('meet the asked share of generations, the same ones each time', async () => {
    const outcomes = async (): Promise<number[]> => {
      const server = await start({ failRate: 0.5, faults: ['error', 'rate-limited'] });
      const statuses: number[] = [];
      for (let seed = 0; seed < 40; seed++) {
        statuses.push((await ask(server, '/sdapi/v1/txt2img', { ...small, seed })).status);
      }
      return statuses;
    };
    const statuses = await outcomes();
    const failed = statuses.filter((status) => status !== 200).length;
    expect(failed).toBeGreaterThan(10);
    expect(failed).toBeLessThan(30);
    expect(await outcomes()).toEqual(statuses);
  });

  it('that the protocol does not know are refused', async () => {
    const server = await start();
    expect(() => server.nextFault('lost')).toThrow(/a1111 has no fault 'lost'/);
  });
});

describe('img2img and repair', () => {
  const hands = { alwayson_scripts: { ADetailer: { args: [true, true, { ad_model: 'hand_yolov8n.pt' }] } } };

  async function badHand(server: SketchServer): Promise<string> {
    const reply = await ask(server, '/sdapi/v1/txt2img', small);
    expect(readTruth(imageOf(reply))?.truth.anatomy).toBe('bad');
    return reply.body.images[0];
  }

  it('repairs most bad hands with ADetailer, always the same ones', async () => {
    const server = await start({ badRate: 1 });
    const init = await badHand(server);
    const repair = async (seed: number): Promise<string | undefined> => {
      const request = { ...small, ...hands, seed, init_images: [init] };
      return readTruth(imageOf(await ask(server, '/sdapi/v1/img2img', request)))?.truth.anatomy;
    };
    const first = await Promise.all(Array.from({ length: 20 }, (_, seed) => repair(seed)));
    const good = first.filter((anatomy) => anatomy === 'good').length;
    expect(good).toBeGreaterThan(8);
    expect(good).toBeLessThan(20);
    expect(await Promise.all(Array.from({ length: 20 }, (_, seed) => repair(seed)))).toEqual(first);
  });

  const repairWith = async (server: SketchServer, ...units: object[]) => {
    const request = {
      ...small,
      sampler_name: 'DPM++ 2M',
      init_images: [`data:image/png;base64,${await badHand(server)}`],
      alwayson_scripts: { ADetailer: { args: [true, true, ...units] } },
    };
    const reply = await ask(server, '/sdapi/v1/img2img', request);
    expect(reply.status).toBe(200);
    const info = JSON.parse(reply.body.info);
    return { info, infotext: info.infotexts[0], anatomy: readTruth(imageOf(reply))?.truth.anatomy };
  };

  it('ignores ADetailer without a word where one key is misspelled: the picture is made anew', async () => {
    const server = await start({ badRate: 1 });
    const { infotext, info, anatomy } = await repairWith(server, {
      ad_model: 'hand_yolov8n.pt',
      ad_promt: 'x',
    });
    expect(infotext).not.toContain('ADetailer');
    expect(info.sampler_name).toBe('DPM++ 2M');
    expect(anatomy).toBe('bad');
  });

  it('leaves out a misspelled one of two', async () => {
    const units = [{ ad_model: 'hand_yolov8n.pt', ad_promt: 'x' }, { ad_model: 'hand_yolov8s.pt' }];
    const { infotext } = await repairWith(await start({ badRate: 1 }), ...units);
    expect(infotext).toContain('ADetailer model: hand_yolov8s.pt');
    expect(infotext).not.toContain('hand_yolov8n.pt');
  });

  it('names an unknown model in the infotext, and repairs nothing', async () => {
    const { infotext, anatomy } = await repairWith(await start({ badRate: 1 }), { ad_model: 'nobody.pt' });
    expect(infotext).toContain('ADetailer model: nobody.pt');
    expect(anatomy).toBe('bad');
  });

  it('says of the pass that ADetailer skips: Euler, one step, 128x128', async () => {
    const { info, infotext } = await repairWith(await start({ badRate: 1 }), {
      ad_model: 'hand_yolov8n.pt',
      ad_prompt: 'x, y',
    });
    expect(info).toMatchObject({ sampler_name: 'Euler', steps: 1, width: 128, height: 128 });
    expect(infotext).toMatch(/Steps: 1, Sampler: Euler, .*Size: 128x128, .*ADetailer prompt: "x, y"/);
  });

  it('says in the infotext that ADetailer was on', async () => {
    const server = await start();
    const reply = await ask(server, '/sdapi/v1/txt2img', { ...small, ...hands });
    expect(JSON.parse(reply.body.info).infotexts[0]).toContain('ADetailer model: hand_yolov8n.pt');
  });
});

describe('the rest of the API', () => {
  it('asks for a password on /sdapi only', async () => {
    const server = await start({ auth: 'me:secret' });
    expect(await ask(server, '/sdapi/v1/options')).toMatchObject({
      status: 401,
      body: { detail: 'Not authenticated' },
    });
    const wrong = { authorization: `Basic ${Buffer.from('me:wrong').toString('base64')}` };
    expect(await ask(server, '/sdapi/v1/options', undefined, wrong)).toEqual({
      status: 401,
      body: { error: 'HTTPException', detail: 'Incorrect username or password', body: '', errors: '' },
    });
    const right = { authorization: `Basic ${Buffer.from('me:secret').toString('base64')}` };
    expect((await ask(server, '/sdapi/v1/options', undefined, right)).status).toBe(200);
    expect((await ask(server, '/internal/progress', { id_task: 'none' })).status).toBe(200);
  });

  it('lists what it has', async () => {
    const server = await start();
    for (const list of ['samplers', 'schedulers', 'sd-models', 'sd-vae', 'upscalers', 'loras']) {
      expect((await ask(server, `/sdapi/v1/${list}`)).body).toBeInstanceOf(Array);
    }
    expect((await ask(server, '/sdapi/v1/scripts')).body.txt2img).toContain('adetailer');
    expect((await ask(server, '/openapi.json')).body.paths).toHaveProperty('/sdapi/v1/txt2img');
    expect(await (await fetch(server.url)).text()).toContain('not a diffusion model');
  });

  it('comes back on the same port after a restart, with its numbers', async () => {
    const server = await start({ latencyMs: 60_000 });
    const { port } = server;
    const begun = started(server);
    const dropped = ask(server, '/sdapi/v1/txt2img', small);
    dropped.catch(() => undefined);
    await begun;
    await server.restart();
    await expect(dropped).rejects.toThrow();
    expect(server.port).toBe(port);
    expect(server.stats().requests).toBe(1);
  });
});
