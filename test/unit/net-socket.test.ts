import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { afterEach, expect, it } from 'vitest';
import { ReconnectingSocket, type SocketOptions } from '../../src/net/index.js';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A WebSocket server, a socket to it, and all that the socket tells, to be waited for. */
async function setup(options: Partial<SocketOptions> = {}, autoPong = true) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', autoPong });
  await once(server, 'listening');
  closers.push(
    () =>
      new Promise((resolve) => {
        server.clients.forEach((client) => client.terminate());
        server.close(resolve);
      }),
  );
  const told: string[] = [];
  const waiting: { word: string; resolve: () => void }[] = [];
  const tell = (word: string) => {
    told.push(word);
    waiting.filter((one) => word.startsWith(one.word)).forEach(({ resolve }) => resolve());
  };
  let connections = 0;
  const connected = once(server, 'connection') as Promise<[WebSocket, IncomingMessage]>;
  const socket = new ReconnectingSocket({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    path: () => `/ws?clientId=${++connections}`,
    onJson: (value) => tell(`json ${JSON.stringify(value)}`),
    onBinary: (data) => tell(`bytes ${data.toString('hex')}`),
    onGarbage: (reason) => tell(`garbage ${reason}`),
    onOpen: () => tell('open'),
    onClose: (reason) => tell(`close ${reason}`),
    retryMs: { first: 1, longest: 5 },
    ...options,
  });
  closers.push(() => socket.close());
  return {
    server,
    socket,
    told,
    connected,
    /** Until the socket tells something that begins so, from now on. */
    hear: (word: string) => new Promise<void>((resolve) => waiting.push({ word, resolve })),
  };
}

it('reads JSON and bytes', async () => {
  const { connected, hear, told } = await setup();
  const bytes = hear('bytes');
  const [peer] = await connected;
  peer.send('{"type": "status", "share": NaN}');
  peer.send(Buffer.from([1, 2, 255]));
  await bytes;
  expect(told).toEqual(['open', 'json {"type":"status","share":null}', 'bytes 0102ff']);
});

it('connects again after it was cut, asking for the path anew', async () => {
  const { server, connected, hear } = await setup();
  const [peer, first] = await connected;
  const again = once(server, 'connection') as Promise<[WebSocket, IncomingMessage]>;
  const closed = hear('close');
  peer.terminate();
  await closed;
  const [, second] = await again;
  expect([first.url, second.url]).toEqual(['/ws?clientId=1', '/ws?clientId=2']);
});

it('reports garbage and goes on', async () => {
  const { connected, hear, told } = await setup();
  const fine = hear('json');
  const [peer] = await connected;
  peer.send('}{ no json at all');
  peer.send('{"fine": true}');
  await fine;
  expect(told).toEqual(['open', 'garbage no JSON: }{ no json at all', 'json {"fine":true}']);
});

it('reports a frame that breaks the protocol, and comes back with a new connection', async () => {
  const { server, connected, hear } = await setup();
  const garbage = hear('garbage');
  const [peer] = await connected;
  const again = once(server, 'connection');
  // Reserved bits set, an opcode that does not exist: noise on the wire.
  (peer as unknown as { _socket: NodeJS.WritableStream })._socket.write(
    Buffer.from([0xff, 0xff, 0xff, 0xff]),
  );
  await garbage;
  await again;
});

it('refuses a message past its limit', async () => {
  const { connected, hear, told } = await setup({ maxBytes: 1000 });
  const garbage = hear('garbage');
  const [peer] = await connected;
  peer.send(JSON.stringify({ long: 'x'.repeat(2000) }));
  await garbage;
  expect(told.some((word) => word.startsWith('json'))).toBe(false);
});

it('gives up a server that answers no pings, and connects again', async () => {
  const { server, connected, hear } = await setup({ pingMs: 20 }, false);
  const closed = hear('close');
  await connected;
  const again = once(server, 'connection');
  await closed;
  await again;
});

it('sends its password', async () => {
  const { connected } = await setup({ auth: 'me:hunter22' });
  const [, request] = await connected;
  expect(request.headers.authorization).toBe(`Basic ${Buffer.from('me:hunter22').toString('base64')}`);
});

it('closing ends it for good, also while it is connecting', async () => {
  const { socket, told } = await setup();
  await socket.close();
  await socket.close();
  expect(told.filter((word) => word.startsWith('close'))).toEqual([]);
  expect(socket.isOpen).toBe(false);
});
