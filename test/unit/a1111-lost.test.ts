import { describe, expect, it } from 'vitest';
import { busy, closeAfterEach, idle, info, openA1111 as setup, png, task } from '../support/a1111-server.js';
import { failure, job } from '../support/backend-job.js';
import { sendJson, sendText, type Answer } from '../support/http-server.js';

const signal = new AbortController().signal;
closeAfterEach();

describe('a job that takes its time', () => {
  it('is given up when nothing has moved for long, and its server is told to stop', async () => {
    let interrupted = false;
    const { backend } = await setup({
      '/sdapi/v1/txt2img': () => undefined, // never answers
      '/sdapi/v1/progress': (response) =>
        sendJson(response, { progress: interrupted ? 0 : 0.3, state: { job_count: interrupted ? 0 : 1 } }),
      '/internal/progress': (response) =>
        sendJson(response, { active: !interrupted, queued: false, completed: false, progress: 0.3 }),
      '/sdapi/v1/interrupt': (response) => {
        interrupted = true;
        sendJson(response, {});
      },
    });
    const error = await failure(backend.generate(job(), signal));
    expect(error).toMatchObject({
      fault: 'transient',
      message: expect.stringMatching(/no progress/) as string,
    });
    expect(interrupted).toBe(true);
  });

  it('is waited for while others before it make progress', async () => {
    let step = 0;
    const { backend } = await setup({
      '/sdapi/v1/txt2img': (response) =>
        setTimeout(() => sendJson(response, { images: [png], info: info() }), 900),
      '/sdapi/v1/progress': (response) =>
        sendJson(response, { progress: 0.5, state: { job_count: 1, sampling_step: step++ } }),
      '/internal/progress': { active: false, queued: true, completed: false, progress: null },
    });
    await expect(backend.generate(job(), signal)).resolves.toMatchObject({ seed: 7 });
  });

  it('whose connection breaks is transient, and another task is never interrupted', async () => {
    const { backend, sent } = await setup({
      '/sdapi/v1/txt2img': (response) => response.destroy(),
      '/sdapi/v1/progress': { progress: 0.5, state: { job_count: 1 } }, // somebody else's work
    });
    const error = await failure(backend.generate(job(), signal));
    expect(error).toMatchObject({ fault: 'transient', unreachable: false });
    expect(sent('/sdapi/v1/interrupt')).toHaveLength(0);
    expect(sent('/sdapi/v1/txt2img')).toHaveLength(1);
  });

  it('of a server that knows no tasks is not interrupted: it might be another one', async () => {
    const { backend, sent } = await setup(
      {
        '/sdapi/v1/version': { commit: '058a7f0' },
        '/sdapi/v1/txt2img': (response) => response.destroy(),
        '/sdapi/v1/progress': { progress: 0.5, state: { job_count: 1 } },
      },
      ['/sdapi/v1/version'],
    );
    expect((await failure(backend.generate(job(), signal))).message).toMatch(/may still be working/);
    expect(sent('/sdapi/v1/interrupt')).toHaveLength(0);
  });
});

describe('a reply that a proxy did not wait for', () => {
  const page =
    (status: number): Answer =>
    (response) =>
      sendText(response, `<html><title>${status} from the gateway</title></html>`, status);

  it.each([408, 502, 503, 504, 520, 524])(
    'and answers %i instead: the image is stopped, not made twice',
    async (status) => {
      let stopped = false;
      const { backend, sent } = await setup({
        '/sdapi/v1/txt2img': page(status),
        '/sdapi/v1/progress': (response) => sendJson(response, stopped ? idle : busy),
        '/internal/progress': (response) => sendJson(response, task({ active: !stopped })),
        '/sdapi/v1/interrupt': (response) => {
          stopped = true;
          sendJson(response, {});
        },
      });
      const error = await failure(backend.generate(job(), signal));
      expect(error.fault).toBe('transient');
      expect(error.message).toMatch(new RegExp(`${status}.*raise the proxy's timeout`, 'is'));
      expect(error.message).not.toMatch(/may still be working/);
      expect(sent('/sdapi/v1/interrupt')).toHaveLength(1);
    },
  );

  it('while the image waited in line: it is stopped when its turn comes', async () => {
    let looks = 0;
    let stopped = false;
    const { backend, sent } = await setup({
      '/sdapi/v1/txt2img': page(504),
      // Others before it take longer than anything may stand still.
      '/sdapi/v1/progress': (response) =>
        sendJson(
          response,
          stopped ? idle : { progress: 0.5, state: { job_count: 1, sampling_step: ++looks } },
        ),
      '/internal/progress': (response) =>
        sendJson(response, task(stopped ? {} : looks < 8 ? { queued: true } : { active: true })),
      '/sdapi/v1/interrupt': (response) => {
        stopped = true;
        sendJson(response, {});
      },
    });
    const error = await failure(backend.generate(job(), signal));
    expect(error.message).not.toMatch(/may still be working/);
    expect(sent('/sdapi/v1/interrupt')).toHaveLength(1);
    expect(looks).toBeGreaterThanOrEqual(8);
  });

  it('of a server that knows no tasks: its end is awaited, nothing is sent on top of it', async () => {
    let looks = 0;
    const { backend, sent } = await setup(
      {
        '/sdapi/v1/version': { commit: '058a7f0' },
        '/sdapi/v1/txt2img': page(504),
        '/sdapi/v1/progress': (response) =>
          sendJson(response, ++looks < 5 ? { progress: looks / 10, state: { job_count: 1 } } : idle),
      },
      ['/sdapi/v1/version'],
    );
    const error = await failure(backend.generate(job(), signal));
    expect(error.message).not.toMatch(/may still be working/);
    expect(looks).toBe(5);
    expect(sent('/sdapi/v1/interrupt')).toHaveLength(0);
  });

  it('nor does the user, who ends while its end is awaited', async () => {
    const control = new AbortController();
    let looks = 0;
    const { backend } = await setup(
      {
        '/sdapi/v1/version': { commit: '058a7f0' },
        '/sdapi/v1/txt2img': page(504),
        '/sdapi/v1/progress': (response) => {
          if (++looks === 5) control.abort(new Error('enough'));
          sendJson(response, { progress: 0.5, state: { job_count: 1, sampling_step: looks } });
        },
      },
      ['/sdapi/v1/version'],
      { stallMs: 600_000 },
    );
    await expect(backend.generate(job(), control.signal)).rejects.toThrow('enough');
  });

  it('because the server behind it is down is told as such, at once', async () => {
    const { backend, sent } = await setup({
      '/sdapi/v1/txt2img': page(502),
      '/sdapi/v1/progress': page(502),
      '/internal/progress': page(502),
    });
    const error = await failure(backend.generate(job(), signal));
    expect(error).toMatchObject({ fault: 'transient', unreachable: false });
    expect(error.message).toMatch(/failed \(502/);
    expect(error.message).not.toMatch(/may still be working/);
    expect(sent('/sdapi/v1/progress')).toHaveLength(1);
  });
});

describe('a reply that never comes', () => {
  it('is given up when the task has ended, however busy the server is with others', async () => {
    let step = 0;
    const { backend } = await setup({
      '/sdapi/v1/txt2img': () => undefined,
      '/sdapi/v1/progress': (response) =>
        sendJson(response, { progress: 0.5, state: { job_count: 1, sampling_step: step++ } }),
      '/internal/progress': task({ completed: true }),
    });
    expect((await failure(backend.generate(job(), signal))).message).toMatch(/did not send/);
  });

  it('is given up when the task was there and is gone', async () => {
    let looks = 0;
    const { backend } = await setup({
      '/sdapi/v1/txt2img': () => undefined,
      '/sdapi/v1/progress': (response) =>
        sendJson(response, { progress: 0.5, state: { job_count: 1, sampling_step: looks } }),
      '/internal/progress': (response) => sendJson(response, task({ queued: ++looks < 3 })),
    });
    expect((await failure(backend.generate(job(), signal))).message).toMatch(/did not send/);
  });

  it('is not that of an earlier task of the same id, which has ended', async () => {
    let isTold = false;
    const { backend } = await setup({
      '/sdapi/v1/txt2img': () => undefined,
      '/sdapi/v1/progress': busy,
      '/internal/progress': (response) => sendJson(response, task({ active: !isTold, completed: true })),
      '/sdapi/v1/interrupt': (response) => {
        isTold = true;
        sendJson(response, {});
      },
    });
    expect((await failure(backend.generate(job(), signal))).message).toMatch(/no progress/);
  });
});

it('nobody is shown a preview, and the server is not asked to make one', async () => {
  const { backend, sent } = await setup({
    '/sdapi/v1/txt2img': (response) =>
      setTimeout(() => sendJson(response, { images: [png], info: info() }), 100),
    '/sdapi/v1/progress': busy,
    '/internal/progress': task({ active: true, progress: 0.5, live_preview: 'data:image/png;base64,' }),
  });
  const shares: number[] = [];
  await backend.generate(job({}, { onProgress: ({ share }) => shares.push(share) }), signal);
  expect(shares).toEqual([0.5]);
  expect(sent('/internal/progress')[0]?.body).toMatchObject({ live_preview: false });
});
