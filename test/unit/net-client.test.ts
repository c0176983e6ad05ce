import { getEventListeners } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError, redact } from '../../src/errors.js';
import { HttpClient, NetError, withDeadline } from '../../src/net/index.js';
import { sendJson, sendText, serve, type Answer } from '../support/http-server.js';

const signal = new AbortController().signal;
const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function setup(answers: Record<string, Answer>, auth?: string) {
  const server = await serve(answers);
  const client = new HttpClient(server.url, auth);
  closers.push(
    () => server.close(),
    () => client.close(),
  );
  return { server, client };
}

async function listen(server: TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => void server.close());
  return (server.address() as AddressInfo).port;
}

function secureClient(port: number): HttpClient {
  const client = new HttpClient(`https://127.0.0.1:${port}`);
  closers.push(() => client.close());
  return client;
}

async function failure(promise: Promise<unknown>): Promise<NetError> {
  const error: unknown = await promise.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(NetError);
  return error as NetError;
}

describe('what is read', () => {
  it('JSON, also with the bare NaN and Infinity that Python writes', async () => {
    const { client } = await setup({
      '/odd': (response) =>
        sendText(response, '{"a": NaN, "b": [-Infinity, 1], "c": "NaN, really"}', 200, 'application/json'),
    });
    expect(await client.getJson('/odd', { signal })).toEqual({ a: null, b: [null, 1], c: 'NaN, really' });
  });

  it('an empty reply, as nothing', async () => {
    const { client } = await setup({ '/done': (response) => response.writeHead(204).end() });
    expect(await client.postJson('/done', {}, { signal })).toBeUndefined();
  });

  it('bytes as they came', async () => {
    const bytes = Buffer.from([0, 255, 128, 10]);
    const { client } = await setup({ '/file': (response) => response.end(bytes) });
    expect((await client.getBytes('/file', { signal })).equals(bytes)).toBe(true);
  });

  it('a reply that takes longer than an idle connection is kept', async () => {
    const { client } = await setup({
      '/slow': async (response) => {
        await sleep(3_300);
        sendJson(response, { late: true });
      },
    });
    expect(await client.postJson('/slow', {}, { signal, timeoutMs: Infinity })).toEqual({ late: true });
  });
});

describe('what is refused', () => {
  it('a 300 MB reply, while it is being read', async () => {
    let sent = 0;
    const { client } = await setup({
      '/huge': (response) => {
        const chunk = Buffer.alloc(1024 * 1024, 65);
        const more = () => {
          while (sent < 300 && !response.destroyed) {
            sent++;
            if (!response.write(chunk)) return void response.once('drain', more);
          }
          response.end();
        };
        more();
      },
    });
    const error = await failure(client.getJson('/huge', { signal, maxBytes: 8 * 1024 * 1024 }));
    expect(error).toMatchObject({ kind: 'too-large', message: expect.stringContaining('8 MiB') as string });
    expect(sent).toBeLessThan(100);
  });

  it('a small reply that unpacks to a huge one', async () => {
    const { client } = await setup({
      '/bomb': (response) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(50_000_000))),
    });
    expect(await failure(client.getJson('/bomb', { signal, maxBytes: 1024 * 1024 }))).toMatchObject({
      kind: 'too-large',
    });
  });

  it('a redirect to another host, which is named and not asked', async () => {
    const other = await setup({ '/options': { stolen: true } });
    const { client } = await setup(
      {
        '/options': (response) => response.writeHead(302, { location: `${other.server.url}/options` }).end(),
      },
      'user:hunter22',
    );
    const error = await failure(client.getJson('/options', { signal }));
    expect(error.kind).toBe('redirect');
    expect(error.message).toContain(other.server.url);
    expect(other.server.seen).toEqual([]);
  });

  it('a web page where JSON should be, by its title', async () => {
    const { client } = await setup({
      '/options': (response) => sendText(response, '<!doctype html><title>Please sign in</title>'),
    });
    const error = await failure(client.getJson('/options', { signal }));
    expect(error.kind).toBe('not-json');
    expect(error.message).toContain('web page ("Please sign in")');
  });

  it('JSON that breaks off', async () => {
    const { client } = await setup({
      '/cut': (response) => sendText(response, '{"a": NaN, "b": [1,', 200, 'application/json'),
    });
    expect((await failure(client.getJson('/cut', { signal }))).kind).toBe('not-json');
  });

  it('an error status, with the words that came with it', async () => {
    const { client } = await setup({
      '/bad': (response) => sendJson(response, { detail: 'no such thing' }, 422),
    });
    const error = await failure(client.getJson('/bad', { signal }));
    expect(error).toMatchObject({ kind: 'status', status: 422, body: '{"detail":"no such thing"}' });
  });
});

describe('what does not answer', () => {
  it('a port where nobody listens is unreachable', async () => {
    const { server, client } = await setup({});
    await server.close();
    expect(await failure(client.getJson('/', { signal }))).toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('(ECONNREFUSED). Is it running, and is the port right?') as string,
    });
  });

  it('a server whose certificate nobody vouches for is named, and what to do about it', async () => {
    const pem = await readFile(new URL('../fixtures/self-signed.pem', import.meta.url));
    const server = createTlsServer({ key: pem, cert: pem }, (_request, response) => response.end('{}'));
    const error = await failure(secureClient(await listen(server)).getJson('/', { signal }));
    expect(error).toMatchObject({ kind: 'unreachable' });
    expect(error.message).toMatch(/certificate of https:.* is not trusted .*NODE_EXTRA_CA_CERTS/);
  });

  it('a server without TLS behind https is named so', async () => {
    const { server } = await setup({ '/': { ok: true } });
    const error = await failure(secureClient(Number(new URL(server.url).port)).getJson('/', { signal }));
    expect(error).toMatchObject({ kind: 'unreachable' });
    expect(error.message).toMatch(/does not speak TLS .*is it http, not https\?/);
  });

  it('a connection that is cut is broken, not unreachable: the work may go on', async () => {
    const { client } = await setup({ '/job': (response) => response.destroy() });
    expect((await failure(client.postJson('/job', {}, { signal }))).kind).toBe('broken');
  });

  it('a reply that is cut in the middle is broken', async () => {
    const { client } = await setup({
      '/job': (response) => {
        response.writeHead(200, { 'content-length': 1000 }).write('{"half": ');
        setTimeout(() => response.destroy(), 20);
      },
    });
    expect((await failure(client.postJson('/job', {}, { signal }))).kind).toBe('broken');
  });

  it('a server that says nothing is given up after its time', async () => {
    const client = new HttpClient(
      `http://127.0.0.1:${await listen(createTcpServer((socket) => socket.resume()))}`,
    );
    closers.push(() => client.close());
    expect((await failure(client.getJson('/', { signal, timeoutMs: 50 }))).kind).toBe('timeout');
  });

  it('an abort ends the wait with its own reason', async () => {
    const control = new AbortController();
    const { client } = await setup({ '/job': () => control.abort(new Error('enough')) });
    await expect(
      client.postJson('/job', {}, { signal: control.signal, timeoutMs: Infinity }),
    ).rejects.toThrow('enough');
  });
});

describe('passwords', () => {
  it.each([
    ['user:hunter22', `Basic ${Buffer.from('user:hunter22').toString('base64')}`],
    ['Bearer t0ken-of-mine', 'Bearer t0ken-of-mine'],
  ])('are sent as the server expects them: %s', async (auth, header) => {
    const { client, server } = await setup({ '/': { ok: true } }, auth);
    await client.getJson('/', { signal });
    expect(server.seen[0]?.headers.authorization).toBe(header);
  });

  it('in the URL serve too, and never show in an error', async () => {
    const server = await serve({});
    const client = new HttpClient(server.url.replace('//', '//me:s3cret-word@'));
    closers.push(
      () => server.close(),
      () => client.close(),
    );
    const error = await failure(client.getJson('/nothing', { signal }));
    expect(server.seen[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from('me:s3cret-word').toString('base64')}`,
    );
    expect(error.message).not.toContain('s3cret-word');
    expect(JSON.stringify(error)).not.toContain('s3cret-word');
    expect(redact('s3cret-word')).toBe('***');
  });

  it('that are no password are refused at once', () => {
    expect(() => new HttpClient('http://127.0.0.1:1', 'nonsense')).toThrow(ConfigError);
    expect(() => new HttpClient('ftp://127.0.0.1')).toThrow(ConfigError);
  });

  it('may hold a % that encodes nothing', async () => {
    const { server } = await setup({ '/': { ok: true } });
    const client = new HttpClient(server.url.replace('//', '//me%40home:50%off@'));
    closers.push(() => client.close());
    await client.getJson('/', { signal });
    expect(server.seen[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from('me@home:50%off').toString('base64')}`,
    );
  });

  it('in what follows the path are refused, and not shown', () => {
    const open = () => new HttpClient('http://127.0.0.1:1/sub/?token=s3cret-query');
    expect(open).toThrow(/"http:\/\/127.0.0.1:1\/sub\/" is followed by \?.*auth/);
    expect(open).not.toThrow(/s3cret-query/);
  });
});

it('a deadline leaves no listener on the signal that it obeyed', async () => {
  const control = new AbortController();
  const work = async () => getEventListeners(control.signal, 'abort').length;
  expect(await withDeadline(control.signal, 1_000, () => new Error('late'), work)).toBe(1);
  expect(getEventListeners(control.signal, 'abort')).toEqual([]);
});
