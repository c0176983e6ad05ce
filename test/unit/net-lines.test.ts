import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { readLines, type LineOptions } from '../../src/net/index.js';

const roomy: LineOptions = { maxBytes: 1024, idleMs: 10_000 };

async function allOf(lines: AsyncIterable<string>): Promise<string[]> {
  const all = [];
  for await (const line of lines) all.push(line);
  return all;
}

const sockets: { destroy(): unknown }[] = [];
afterEach(() => sockets.splice(0).forEach((socket) => socket.destroy()));

/** Two ends of one connection. */
async function pair(): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [peer] = (await once(server, 'connection')) as [Socket];
  server.close();
  client.on('error', () => undefined);
  sockets.push(client, peer);
  return [peer, client];
}

it('gives the same lines however their bytes were cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', ' '))),
      fc.integer({ min: 1, max: 9 }),
      async (texts, size) => {
        const lines = texts.map((text) => Buffer.from(text).toString());
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, part) =>
          bytes.subarray(part * size, (part + 1) * size),
        );
        expect(await allOf(readLines(Readable.from(parts), roomy))).toEqual(lines);
      },
    ),
  );
});

it('drops what was cut before its newline', async () => {
  expect(await allOf(readLines(Readable.from([Buffer.from('one\ntw')]), roomy))).toEqual(['one']);
});

it('takes a line of exactly the limit and refuses one byte more', async () => {
  const of = (size: number) => Readable.from([Buffer.alloc(size, 'a'), Buffer.from('\n')]);
  expect(await allOf(readLines(of(1024), roomy))).toEqual(['a'.repeat(1024)]);
  await expect(allOf(readLines(of(1025), roomy))).rejects.toThrow('a line of more than 1024 bytes');
});

it('hangs up on a peer whose line never ends', async () => {
  const [peer, client] = await pair();
  const closed = new Promise((resolve) => client.once('close', resolve));
  client.write(Buffer.alloc(1024 * 1024));
  await expect(allOf(readLines(peer, roomy))).rejects.toThrow('a line of more than 1024 bytes');
  await closed;
});

it('gives a peer that drips no more time than a silent one', async () => {
  const [peer, client] = await pair();
  const drip = setInterval(() => client.write('a'), 5);
  sockets.push({ destroy: () => clearInterval(drip) });
  await expect(allOf(readLines(peer, { maxBytes: 1e6, idleMs: 100 }))).rejects.toThrow(
    'no whole line within 0.1 s',
  );
});

it('does not count the time that the reader takes', async () => {
  const stream = new PassThrough();
  const lines = readLines(stream, { maxBytes: 10, idleMs: 20 });
  stream.write('one\n');
  expect((await lines.next()).value).toBe('one');
  await new Promise((resolve) => setTimeout(resolve, 60));
  stream.write('two\n');
  expect((await lines.next()).value).toBe('two');
  await lines.return();
});

it('leaves the stream open to answer on once nobody asks any more', async () => {
  const [peer, client] = await pair();
  client.write('question\nmore\n');
  for await (const line of readLines(peer, roomy)) {
    expect(line).toBe('question');
    break;
  }
  const answer = once(client, 'data');
  peer.write('answer\n');
  expect(String((await answer)[0])).toBe('answer\n');
});

it('passes on what breaks the stream', async () => {
  const stream = new PassThrough();
  const lines = allOf(readLines(stream, roomy));
  stream.destroy(new Error('reset'));
  await expect(lines).rejects.toThrow('reset');
});
