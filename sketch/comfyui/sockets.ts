import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { isObject, type JsonObject } from '../http.js';

/** Binary events: a u32, big-endian, before the payload. */
const previewImage = 1;
const previewImageWithMetadata = 4;
const jpegType = 1;

interface Client {
  socket: WebSocket;
  /** What the client said in its first message that it can read. */
  flags: JsonObject;
}

/** The clients on /ws, by their clientId. */
export class Sockets {
  readonly #server = new WebSocketServer({ noServer: true });
  readonly #clients = new Map<string, Client>();

  /** What a new client is told. */
  readonly #greet: (sid: string) => void;
  readonly #features: JsonObject;

  constructor(greet: (sid: string) => void, features: JsonObject) {
    this.#greet = greet;
    this.#features = features;
  }

  accept(request: IncomingMessage, duplex: Duplex, head: Buffer, clientId: string): void {
    this.#server.handleUpgrade(request, duplex, head, (socket) => {
      const sid = clientId === '' ? randomUUID().replaceAll('-', '') : clientId;
      const client: Client = { socket, flags: {} };
      this.#clients.set(sid, client);
      // As in the real server: when the older of two sockets with one id closes, the newer one falls silent.
      socket.on('close', () => this.#clients.delete(sid));
      socket.on('error', () => undefined);
      socket.once('message', (data: Buffer) => this.#negotiate(sid, client, data));
      this.#greet(sid);
    });
  }

  /** Sends to one client, or without `sid` to all. A client that is not there misses it. */
  send(type: string, data: JsonObject, sid?: string): void {
    this.raw(JSON.stringify({ type, data }), sid);
  }

  /** Sends whatever bytes or text. */
  raw(frame: string | Buffer, sid?: string): void {
    const clients = sid === undefined ? [...this.#clients.values()] : [this.#clients.get(sid)];
    for (const client of clients) client?.socket.send(frame, () => undefined);
  }

  has(sid: string | undefined): boolean {
    return sid === undefined ? this.#clients.size > 0 : this.#clients.has(sid);
  }

  /** Sends a JPEG preview, with metadata to a client that asked for it. */
  preview(jpeg: Buffer, metadata: JsonObject, sid?: string): void {
    const client = sid === undefined ? undefined : this.#clients.get(sid);
    if (client?.flags['supports_preview_metadata'] === true) {
      const text = Buffer.from(JSON.stringify({ ...metadata, image_type: 'image/jpeg' }));
      this.raw(Buffer.concat([u32(previewImageWithMetadata), u32(text.length), text, jpeg]), sid);
    } else {
      this.raw(Buffer.concat([u32(previewImage), u32(jpegType), jpeg]), sid);
    }
  }

  close(): void {
    for (const { socket } of this.#clients.values()) socket.terminate();
    this.#server.close();
  }

  #negotiate(sid: string, client: Client, data: Buffer): void {
    let message: unknown;
    try {
      message = JSON.parse(data.toString('utf8'));
    } catch {
      return;
    }
    if (!isObject(message) || message['type'] !== 'feature_flags') return;
    client.flags = isObject(message['data']) ? message['data'] : {};
    this.send('feature_flags', this.#features, sid);
  }
}

function u32(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
}
