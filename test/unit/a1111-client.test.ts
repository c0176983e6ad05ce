import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { addTextChunk } from '../../src/images/index.js';
import type { ImageRequest } from '../../src/loop/index.js';
import { closeAfterEach, fails, info, openA1111 as setup, png, red } from '../support/a1111-server.js';
import { failure, job } from '../support/backend-job.js';
import { sendJson, sendText, type Answer } from '../support/http-server.js';

const signal = new AbortController().signal;
const later = closeAfterEach();
const grid = await red(128);

const sdNext = {
  '/sdapi/v1/version': { app: 'sd.next', commit: '058a7f0', updated: '2026-07-23' },
  '/sdapi/v1/schedulers': fails(500, { error: 'ResponseValidationError', code: 500 }),
};

describe('which server it is', () => {
  it.each([
    ['AUTOMATIC1111', ['/internal/progress'], {}],
    ['Forge', ['/internal/progress', '/sdapi/v1/sd-modules'], {}],
    ['SD.Next', ['/sdapi/v1/version'], sdNext],
  ])('%s, by the paths that it serves', async (product, paths, answers) => {
    const { backend } = await setup(answers, paths);
    expect(await backend.probe(signal)).toMatchObject({
      product,
      checkpoint: 'hands.safetensors [abc1234567]',
    });
  });

  it('SD.Next without git knows no version of its own', async () => {
    const { backend } = await setup({ '/sdapi/v1/version': { commit: 'unknown', updated: 'unknown' } }, [
      '/sdapi/v1/version',
    ]);
    const found = await backend.probe(signal);
    expect(found.product).toBe('SD.Next');
    expect(found).not.toHaveProperty('version');
  });

  it('is told to people where it does not say whose image it makes', async () => {
    const { backend } = await setup();
    await backend.probe(signal);
    expect(backend.notes).toEqual([]);
    const { backend: withoutPage } = await setup({}, []);
    await withoutPage.probe(signal);
    expect(withoutPage.notes).toEqual([expect.stringMatching(/--nowebui/)]);
  });

  it('is asked without the list of paths too, which some extensions break', async () => {
    const { backend } = await setup({ '/openapi.json': fails(500, 'Internal Server Error') });
    expect((await backend.probe(signal)).product).toBe('AUTOMATIC1111');
  });

  it('is not guessed when a proxy stumbles: Forge would be taken for another', async () => {
    const { backend } = await setup({ '/openapi.json': fails(502, 'Bad Gateway') });
    expect(await failure(backend.probe(signal))).toMatchObject({ fault: 'transient' });
  });

  it.each([
    ['v1.10.1', 'AUTOMATIC1111'],
    ['f1.7.0-v1.10.1RC-latest-2190-g8731f1e9', 'reForge'],
  ])('%s is %s, by the version in its images', async (version, product) => {
    const { backend } = await setup({ '/sdapi/v1/txt2img': { images: [png], info: info({ version }) } });
    expect((await backend.generate(job(), signal)).server).toMatchObject({ product, version });
  });
});

describe('a server that cannot be used at all', () => {
  it.each([
    ['started without --api', { '/sdapi/v1/options': fails(404, { detail: 'Not Found' }) }, /--api/],
    [
      'that is ComfyUI',
      {
        '/sdapi/v1/options': (response) => sendText(response, '404: Not Found', 404, 'text/plain'),
        '/system_stats': { system: { comfyui_version: '0.33.0' } },
      },
      /ComfyUI.*kind: comfyui/,
    ],
    [
      'that wants a password',
      {
        '/sdapi/v1/options': fails(401, { error: 'HTTPException', detail: 'Incorrect username or password' }),
      },
      /wants a password \(401: .*Incorrect username.*auth/,
    ],
    [
      'that shows web pages',
      { '/sdapi/v1/options': (response) => sendText(response, '<html><title>Router login</title></html>') },
      /Router login/,
    ],
    ['that answers something else', { '/sdapi/v1/options': [1, 2] }, /no A1111 server/],
    [
      'that redirects elsewhere',
      {
        '/sdapi/v1/options': (response) =>
          response.writeHead(307, { location: 'https://example.com/' }).end(),
      },
      /redirects to https:\/\/example.com/,
    ],
  ] as [string, Record<string, Answer>, RegExp][])('one %s', async (_, answers, words) => {
    const { backend } = await setup(answers);
    const error = await failure(backend.probe(signal));
    expect(error.fault).toBe('backend');
    expect(error.message).toMatch(words);
    expect(error.message).toMatch(/^forge: /);
  });
});

it('a password that is refused is not asked for as if there were none', async () => {
  const answers = { '/sdapi/v1/options': fails(401, { detail: 'Incorrect username or password' }) };
  const { backend } = await setup(answers, undefined, { auth: 'me:s3cret-word' });
  const { message } = await failure(backend.probe(signal));
  expect(message).toMatch(/refused the password \(401: Incorrect username or password\)\. Check .* auth/);
});

describe('errors of a generation', () => {
  it.each([
    [
      'a server error',
      500,
      { error: 'RuntimeError', detail: '', errors: 'tensors on two devices' },
      'transient',
      /tensors on two devices/,
    ],
    [
      'out of memory',
      500,
      { error: 'OutOfMemoryError', detail: '', errors: 'CUDA out of memory.' },
      'transient',
      /ran out of memory/,
    ],
    [
      "Forge's form",
      500,
      { error: 'RuntimeError', detail: '', body: '', message: 'it broke' },
      'transient',
      /it broke/,
    ],
    ['a limit of the rate', 429, { detail: 'Too Many Requests' }, 'transient', /too often/],
    ['a bad gateway', 502, '<html><title>502 Bad Gateway</title></html>', 'transient', /502/],
    [
      'a field that is wrong',
      422,
      { detail: [{ loc: ['body', 'steps'], msg: 'value is not a valid integer', type: 'type_error' }] },
      'request',
      /body.steps: value is not a valid integer/,
    ],
    [
      'a script that is not there',
      422,
      { error: 'HTTPException', detail: "Script 'x' not found" },
      'request',
      /Script 'x' not found/,
    ],
    [
      "SD.Next's unknown sampler",
      404,
      { error: 'HTTPException', detail: 'Sampler not found' },
      'request',
      /Sampler not found/,
    ],
    [
      'an unknown upscaler',
      500,
      { error: 'AssertionError', errors: 'could not find upscaler named X' },
      'request',
      /upscaler named X/,
    ],
    [
      'an unknown setting of the user',
      500,
      { error: 'KeyError', detail: '', errors: "'no_such_setting'" },
      'request',
      /no_such_setting/,
    ],
  ])('%s', async (_, status, body, fault, words) => {
    const { backend } = await setup({ '/sdapi/v1/txt2img': fails(status, body) });
    const error = await failure(
      backend.generate(job({ a1111: { override_settings: { no_such_setting: 1 } } }), signal),
    );
    expect(error.fault).toBe(fault);
    expect(error.message).toMatch(words);
  });

  it.each([
    ['no image', { images: [], info: '' }],
    ['fewer images than seeds', { images: ['x'], info: JSON.stringify({ all_seeds: [1, 2] }) }],
    ['nothing but null', null],
    ['text that is no base64', { images: ['@@@@ not base64 @@@@'], info: '{}' }],
  ])('200 with %s is transient: it ran out of memory or was interrupted', async (_, reply) => {
    const { backend } = await setup({ '/sdapi/v1/txt2img': (response) => sendJson(response, reply) });
    expect((await failure(backend.generate(job(), signal))).fault).toBe('transient');
  });

  it('200 with no image from SD.Next that has no checkpoint loaded says so: no request can repair that', async () => {
    const { backend } = await setup(
      {
        ...sdNext,
        '/sdapi/v1/checkpoint': { type: null, class: null },
        '/sdapi/v1/txt2img': { images: [], info: '' },
      },
      ['/sdapi/v1/version'],
    );
    expect(await failure(backend.generate(job(), signal))).toMatchObject({
      fault: 'backend',
      message: expect.stringMatching(/no checkpoint loaded/) as string,
    });
  });

  it('a job that the server says was interrupted is not taken', async () => {
    const { backend } = await setup({
      '/sdapi/v1/txt2img': { images: [png], info: info({ job_timestamp: '20260101120000' }) },
      '/sdapi/v1/progress': {
        progress: 0,
        state: { job_count: 0, interrupted: true, job_timestamp: '20260101120000' },
      },
    });
    expect((await failure(backend.generate(job(), signal))).message).toMatch(/interrupted/);
  });

  it("SD.Next's picture of an interrupted job is not taken: there is one infotext more than pictures", async () => {
    const { backend } = await setup({
      '/sdapi/v1/txt2img': { images: [png], info: info({ infotexts: ['Steps: 4', 'Steps: 4'] }) },
    });
    expect(await failure(backend.generate(job(), signal))).toMatchObject({
      fault: 'transient',
      message: expect.stringMatching(/interrupted/) as string,
    });
  });

  it("another job's interruption is not held against it", async () => {
    const { backend } = await setup({
      '/sdapi/v1/txt2img': { images: [png], info: info({ job_timestamp: '20260101120000' }) },
      '/sdapi/v1/progress': {
        progress: 0,
        state: { job_count: 0, interrupted: true, job_timestamp: '20260101120009' },
      },
    });
    await expect(backend.generate(job(), signal)).resolves.toMatchObject({ seed: 7 });
  });
});

describe('silent substitution', () => {
  it.each([
    ['sampler', { sampler: 'Eulr' }, /sampler Eulr .* Euler was used/],
    ['longer sampler', { sampler: 'Euler XYZ' }, /sampler Euler XYZ .* Euler was used/],
    ['checkpoint', { checkpoint: 'feet.safetensors' }, /checkpoint feet.safetensors .* hands was used/],
    ['size', { width: 100 }, /size 100x64 .* 64x64 was used/],
  ] as [string, Partial<ImageRequest>, RegExp][])('of the %s', async (_, changes, words) => {
    const { backend } = await setup();
    const error = await failure(backend.generate(job(changes), signal));
    expect(error.fault).toBe('request');
    expect(error.message).toMatch(words);
  });

  it('of the checkpoint, which SD.Next names only in the infotext', async () => {
    const { backend } = await setup({
      '/sdapi/v1/txt2img': {
        images: [png],
        info: info({
          sd_model_name: undefined,
          sd_model_hash: undefined,
          infotexts: [
            'a hand, Model: feet, of course\nSteps: 4, Size: 64x64, Model: hands, Operations: txt2img',
          ],
        }),
      },
    });
    const made = await backend.generate(job({ checkpoint: 'hands' }), signal);
    expect(made.server.checkpoint).toBe('hands');
    const error = await failure(backend.generate(job({ checkpoint: 'feet' }), signal));
    expect(error.message).toMatch(/checkpoint feet .* hands was used/);
  });

  it.each([
    ['names another seed', info({ seed: 8, all_seeds: [8] }), /seed 7 was asked for, and it is of seed 8/],
    [
      'names another seed in its infotext alone',
      JSON.stringify({ infotexts: ['a hand\nSteps: 4, Seed: 8, Size: 64x64'] }),
      /seed 7 .* seed 8/,
    ],
    [
      'has the infotext of another prompt',
      info({ infotexts: ['a foot\nSteps: 4, Seed: 7'] }),
      /"a hand" was asked for, and it is of "a foot/,
    ],
    ['names another prompt', info({ prompt: 'a foot' }), /"a hand" .* "a foot"/],
  ])('a reply that %s is another request’s: the server’s fault', async (_, text, words) => {
    const { backend } = await setup({ '/sdapi/v1/txt2img': { images: [png], info: text } });
    const error = await failure(backend.generate(job({ seed: 7 }), signal));
    expect(error.fault).toBe('transient');
    expect(error.message).toMatch(words);
  });

  it('a picture whose own infotext names another prompt is another request’s', async () => {
    const parameters = 'a foot\nSteps: 4, Seed: 7, Size: 64x64';
    const stale = addTextChunk(Buffer.from(png, 'base64'), 'parameters', parameters).toString('base64');
    const { backend } = await setup({ '/sdapi/v1/txt2img': { images: [stale], info: info() } });
    await expect(backend.generate(job(), signal)).rejects.toThrow(/of another request: "a hand".*"a foot/);
  });

  it.each([
    ['with a style around it', 'a hand', 'best, a hand, 4k\nNegative prompt: blurry\nSteps: 4, Seed: 7'],
    [
      'without its LoRA and comment',
      'a hand <lora:ink:0.8>, waving # slowly',
      'a hand , waving\nSteps: 4, Seed: 7',
    ],
    [
      'with what an extension put in',
      'a {red|blue} hand in __city__, day',
      'a red hand in Rome, day\nSteps: 4',
    ],
    ['in several lines', 'a hand,\r\n  “waving”', 'a hand,\n"waving"\nSteps: 4'],
    ['that is empty', '', 'Steps: 4, Seed: 7'],
  ])('a prompt %s is the one that was asked for', async (_, prompt, infotext) => {
    const text = info({ infotexts: [infotext] });
    const { backend } = await setup({ '/sdapi/v1/txt2img': { images: [png], info: text } });
    await expect(backend.generate(job({ prompt }), signal)).resolves.toMatchObject({ seed: 7 });
  });

  it('is not the size that a script of the user makes', async () => {
    const { backend } = await setup({ '/sdapi/v1/txt2img': { images: [grid], info: info() } });
    const a1111 = { script_name: 'SD upscale', script_args: [null, 64, 'R-ESRGAN 4x+', 2] };
    await expect(backend.generate(job({ a1111 }), signal)).resolves.toMatchObject({ seed: 7 });
    await expect(backend.generate(job({ a1111: { script_name: '' } }), signal)).rejects.toThrow(/size 64x64/);
  });

  it.each([
    { sampler: 'Euler Karras' },
    { sampler: 'k_euler' },
    { checkpoint: 'hands' },
    { checkpoint: 'art/hands.safetensors [abc1234567]' },
    { checkpoint: 'art\\hands.safetensors' },
    { checkpoint: 'art_hands' },
    { checkpoint: 'abc1234567' },
    { checkpoint: 'abc1234567ff' },
    { a1111: { seed: -1 } },
  ] as Partial<ImageRequest>[])('is not another name for the same thing: %j', async (changes) => {
    const { backend } = await setup();
    await expect(backend.generate(job(changes), signal)).resolves.toMatchObject({ seed: 7 });
  });
});

it.each(['hands', 'HANDS.safetensors', 'abc1234567'])(
  'a checkpoint called %s is asked for by the name that the server has for it',
  async (checkpoint) => {
    const { backend, sent } = await setup();
    await backend.generate(job({ checkpoint }), signal);
    expect(sent('/sdapi/v1/txt2img')[0]?.body).toMatchObject({
      override_settings: { sd_model_checkpoint: 'art/hands.safetensors [abc1234567]' },
    });
  },
);

describe('what is missing', () => {
  it('is named, with what looks alike', async () => {
    const { backend } = await setup();
    const { request } = job({
      checkpoint: 'hand.safetensors',
      sampler: 'dpm++ 2m',
      scheduler: 'karas',
      vae: 'ink.vae',
      hires: { scale: 2, upscaler: 'ESRGAN 4x' },
      a1111: { alwayson_scripts: { ControllNet: {} } },
    });
    expect(await backend.missing(request, signal)).toEqual([
      { what: 'checkpoint', asked: 'hand.safetensors', near: ['art/hands.safetensors [abc1234567]'] },
      { what: 'sampler', asked: 'dpm++ 2m', near: ['DPM++ 2M'] },
      { what: 'scheduler', asked: 'karas', near: ['karras', 'Karras'] },
      { what: 'upscaler', asked: 'ESRGAN 4x', near: ['R-ESRGAN 4x+'] },
      { what: 'script', asked: 'ControllNet', near: ['controlnet'] },
    ]);
  });

  it('may be a style', async () => {
    const { backend } = await setup({ '/sdapi/v1/prompt-styles': [{ name: 'Ink' }] });
    expect(await backend.missing(job({ styles: ['Ink', 'ink'] }).request, signal)).toEqual([
      { what: 'style', asked: 'ink', near: ['Ink'] },
    ]);
  });

  it('may be a LoRA of the prompt, by its file or its alias', async () => {
    const { backend } = await setup({ '/sdapi/v1/loras': [{ name: 'ink_v2', alias: 'Ink' }] });
    const { request } = job({ prompt: 'a <lora:Ink:0.8> hand, <lora:ink_v2>, <lora:inc_v2:1:2>' });
    expect(await backend.missing(request, signal)).toEqual([
      { what: 'LoRA', asked: 'inc_v2', near: ['ink_v2'] },
    ]);
  });

  it('is no LoRA that came after the start of the server, which must be told to look again', async () => {
    let names = ['ink'];
    const { backend, sent } = await setup({
      '/sdapi/v1/loras': (response) =>
        sendJson(
          response,
          names.map((name) => ({ name })),
        ),
      '/sdapi/v1/refresh-loras': (response) => {
        names = ['ink', 'late'];
        sendJson(response, null);
      },
    });
    const missing = (prompt: string) => backend.missing(job({ prompt }).request, signal);
    expect(await missing('<lora:ink:1>')).toEqual([]);
    expect(sent('/sdapi/v1/refresh-loras')).toHaveLength(0);
    expect(await missing('<lora:late:1>')).toEqual([]);
    expect(await missing('<lora:Late:1>')).toMatchObject([{ what: 'LoRA', asked: 'Late', near: ['late'] }]);
    expect(sent('/sdapi/v1/refresh-loras')).toHaveLength(1);
  });

  it("may be a scheduler that SD.Next has not, which has few, and names for some of the others'", async () => {
    const { backend } = await setup(sdNext, ['/sdapi/v1/version']);
    expect(await backend.missing(job({ scheduler: 'Karras' }).request, signal)).toEqual([]);
    expect(await backend.missing(job({ scheduler: 'Beta' }).request, signal)).toEqual([]);
    expect(await backend.missing(job({ sampler: 'DPM++ 2M Exponential' }).request, signal)).toEqual([]);
    expect(await backend.missing(job({ scheduler: 'sgm_uniform' }).request, signal)).toMatchObject([
      { what: 'scheduler', asked: 'sgm_uniform' },
    ]);
  });

  it.each([500, 502])('is asked again after a stumble of the server (%i)', async (status) => {
    let asked = 0;
    const scripts = { txt2img: ['adetailer'], img2img: ['adetailer'] };
    const { backend } = await setup({
      '/sdapi/v1/scripts': (response) =>
        ++asked === 1 ? sendJson(response, {}, status) : sendJson(response, scripts),
    });
    const missing = async () => backend.missing(job().request, signal, { with: 'adetailer' });
    // A server that cannot make a list is not held to it; a proxy's word says nothing, and is tried again.
    if (status === 500) expect(await missing()).toEqual([]);
    else expect(await failure(missing())).toMatchObject({ fault: 'transient' });
    expect(await missing()).toEqual([]);
    expect(await missing()).toEqual([]);
    expect(asked).toBe(2);
  });

  it('may be a scheduler of a server from before there were any: its samplers have the names of both', async () => {
    const samplers = [{ name: 'DPM++ 2M' }, { name: 'DPM++ 2M Karras' }];
    const reply = { images: [png], info: info({ sampler_name: 'DPM++ 2M Karras' }) };
    const { backend, sent } = await setup(
      { '/sdapi/v1/samplers': samplers, '/sdapi/v1/txt2img': reply, '/sdapi/v1/schedulers': fails(404, {}) },
      ['/internal/progress'],
    );
    const both = { sampler: 'DPM++ 2M', scheduler: 'karras' };
    expect(await backend.missing(job(both).request, signal)).toEqual([]);
    await backend.generate(job(both), signal);
    expect(sent('/sdapi/v1/txt2img')[0]?.body).toMatchObject({ sampler_name: 'DPM++ 2M Karras' });
    expect(sent('/sdapi/v1/txt2img')[0]?.body).not.toHaveProperty('scheduler');
    expect(await backend.missing(job({ ...both, scheduler: 'Automatic' }).request, signal)).toEqual([]);
    expect(await backend.missing(job({ ...both, scheduler: 'beta' }).request, signal)).toEqual([
      { what: 'scheduler', asked: 'beta', near: ['DPM++ 2M', 'DPM++ 2M Karras'] },
    ]);
  });

  it('is nothing that the server has no list of', async () => {
    const { backend } = await setup({
      '/sdapi/v1/schedulers': fails(404, { detail: 'Not Found' }),
      '/sdapi/v1/sd-vae': fails(404, { detail: 'Not Found' }),
    });
    expect(await backend.missing(job({ scheduler: 'odd', vae: 'odd' }).request, signal)).toEqual([]);
  });

  it('is read once, until the next probe', async () => {
    const { backend, sent } = await setup();
    for (let count = 0; count < 3; count++)
      await backend.missing(job({ checkpoint: 'hands' }).request, signal);
    expect(sent('/sdapi/v1/sd-models')).toHaveLength(1);
    await backend.probe(signal);
    await backend.missing(job({ checkpoint: 'hands' }).request, signal);
    expect(sent('/sdapi/v1/sd-models')).toHaveLength(2);
  });
});

describe('the picture', () => {
  it('is the first one after the grid, with a data: prefix or without', async () => {
    const { backend } = await setup({
      '/sdapi/v1/txt2img': {
        images: [grid, `data:image/png;base64,${png}`, grid],
        info: info({ index_of_first_image: 1 }),
      },
    });
    expect((await backend.generate(job(), signal)).image.toString('base64')).toBe(png);
  });

  it('is refused where it is several: a script or an extension made them', async () => {
    const { backend } = await setup({
      '/sdapi/v1/txt2img': {
        images: [grid, png, png],
        info: info({ index_of_first_image: 1, all_seeds: [7, 8] }),
      },
    });
    const made = backend.generate(job(), signal);
    await expect(made).rejects.toMatchObject({ fault: 'request' });
    await expect(made).rejects.toThrow('made 2 images for one shot');
  });

  it('starts from the files that the request names, and they are not in the record', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'reroll-a1111-'));
    later(() => rm(folder, { recursive: true }));
    const file = join(folder, 'start.png');
    await writeFile(file, Buffer.alloc(3000, 1));
    const { backend, sent } = await setup();
    const made = await backend.generate(job({ init_image: file, mask: file }), signal);
    expect(sent('/sdapi/v1/img2img')[0]?.body).toMatchObject({
      init_images: [Buffer.alloc(3000, 1).toString('base64')],
      mask: Buffer.alloc(3000, 1).toString('base64'),
    });
    expect(JSON.stringify(made.sent)).not.toContain('AQEBAQ');
  });

  it('ControlNet’s pictures are read from their paths, and kept by size and hash', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'reroll-a1111-'));
    later(() => rm(folder, { recursive: true }));
    const file = join(folder, 'pose.png');
    await writeFile(file, Buffer.alloc(3000, 1));
    const { backend, sent } = await setup();
    const unit = (image: string) => ({ controlnet: { args: [{ image, weight: 0.8, model: 'openpose' }] } });
    const made = await backend.generate(job({ a1111: { alwayson_scripts: unit(file) } }), signal);
    const base64 = Buffer.alloc(3000, 1).toString('base64');
    expect(sent('/sdapi/v1/txt2img')[0]?.body).toMatchObject({ alwayson_scripts: unit(base64) });
    expect(JSON.stringify(made.sent)).not.toContain(base64);
    expect(JSON.stringify(made.sent)).toMatch(/picture, 3000 bytes, sha256/);
  });

  it('cannot start from a file that is not there', async () => {
    const { backend } = await setup();
    const error = await failure(backend.generate(job({ init_image: '/no/such/picture.png' }), signal));
    expect(error.fault).toBe('request');
    expect(error.message).toMatch(/\/no\/such\/picture.png cannot be read \(ENOENT\)/);
  });
});

describe('repairing by ADetailer', () => {
  const repair = async (setting: Awaited<ReturnType<typeof setup>>, request: Partial<ImageRequest> = {}) =>
    setting.backend.generate(
      job(request, {
        repair: {
          repair: { with: 'adetailer' },
          candidate: Buffer.from(png, 'base64'),
        },
      }),
      signal,
    );

  it('sends the candidate through img2img with no pass before it', async () => {
    const setting = await setup();
    await repair(setting);
    expect(setting.sent('/sdapi/v1/img2img')[0]?.body).toMatchObject({
      init_images: [png],
      width: 64,
      height: 64,
      alwayson_scripts: { ADetailer: { args: [true, true, { ad_model: 'hand_yolov8n.pt' }] } },
    });
  });

  /** As ADetailer 25.3.0 leaves it where the base pass is skipped. */
  const repaired = {
    sampler_name: 'Euler',
    width: 128,
    height: 128,
    infotexts: ['a hand\nSteps: 1, Sampler: Euler, Size: 128x128, ADetailer model: hand_yolov8n.pt'],
  };

  it('takes a picture that names the sampler of the pass that was skipped', async () => {
    const setting = await setup({ '/sdapi/v1/img2img': { images: [png], info: info(repaired) } });
    const made = await repair(setting, { sampler: 'DPM++ 2M' });
    expect(made.image.toString('base64')).toBe(png);
  });

  it('still looks for another checkpoint', async () => {
    const other = info({ ...repaired, sd_model_name: 'other', sd_model_hash: 'fff0000000' });
    const setting = await setup({ '/sdapi/v1/img2img': { images: [png], info: other } });
    const error = await failure(repair(setting, { checkpoint: 'hands.safetensors' }));
    expect(error.message).toMatch(/checkpoint .* was asked for, but other was used/);
  });

  it('fails where ADetailer did nothing: the whole picture was made anew', async () => {
    const anew = info({ infotexts: ['a hand\nSteps: 4, Sampler: Euler, Size: 64x64'] });
    const error = await failure(repair(await setup({ '/sdapi/v1/img2img': { images: [png], info: anew } })));
    expect(error).toMatchObject({
      fault: 'request',
      message: expect.stringContaining('ADetailer did not repair') as string,
    });
  });

  it('needs the extension, which says nothing where it is not there, and its model', async () => {
    const lacks = async (replies: Parameters<typeof setup>[0], model?: string) =>
      (await setup(replies)).backend.missing(job().request, signal, {
        with: 'adetailer',
        ...(model && { model }),
      });
    expect(await lacks({})).toEqual([]);
    expect(await lacks({ '/sdapi/v1/scripts': { txt2img: [], img2img: [] } })).toEqual([
      { what: 'extension', asked: 'ADetailer', near: [] },
    ]);
    const [model] = await lacks({}, 'hands_yolov8n.pt');
    expect(model).toMatchObject({ what: 'ADetailer model', asked: 'hands_yolov8n.pt' });
    expect(model?.near[0]).toBe('hand_yolov8n.pt');
  });
});

it('a setting that one request changed is back for the next that does not name it', async () => {
  const { backend, sent } = await setup();
  await backend.generate(job({ clip_skip: 2 }), signal);
  await backend.generate(job(), signal);
  const settings = sent('/sdapi/v1/txt2img').map(
    ({ body }) => (body as { override_settings: unknown }).override_settings,
  );
  expect(settings).toEqual([{ CLIP_stop_at_last_layers: 2 }, { CLIP_stop_at_last_layers: 1 }]);
});

it('so is any setting that the user names by hand', async () => {
  const { backend, sent } = await setup();
  const a1111 = { override_settings: { eta_noise_seed_delta: 31337 } };
  await backend.generate(job({ a1111 }), signal);
  await backend.generate(job(), signal);
  expect(sent('/sdapi/v1/txt2img').map(({ body }) => body)).toMatchObject([
    { override_settings: { eta_noise_seed_delta: 31337 } },
    { override_settings: { eta_noise_seed_delta: 0 } },
  ]);
});

it('and of SD.Next those too that it does not say while they have their defaults', async () => {
  const defaults = { options: { samples_format: { label: 'Format', default: 'jpg' } }, sections: [] };
  const { backend, sent } = await setup({ ...sdNext, '/sdapi/v1/options-info': defaults }, [
    '/sdapi/v1/version',
  ]);
  await backend.generate(job({ a1111: { override_settings: { samples_format: 'png' } } }), signal);
  await backend.generate(job(), signal);
  expect(sent('/sdapi/v1/txt2img')[1]?.body).toMatchObject({ override_settings: { samples_format: 'jpg' } });
});

it('a VAE that one request chose is gone for the next, of SD.Next too, which does not say its default', async () => {
  const { backend, sent } = await setup(sdNext, ['/sdapi/v1/version']);
  await backend.generate(job({ vae: 'ink.vae.safetensors' }), signal);
  await backend.generate(job(), signal);
  expect(sent('/sdapi/v1/txt2img')[1]?.body).toMatchObject({ override_settings: { sd_vae: 'Automatic' } });
});
