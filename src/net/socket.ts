import { WebSocket, type RawData } from 'ws';
import { readAddress } from './address.js';
import { excerpt } from './client.js';
import { parseJson } from './json.js';

export interface SocketOptions {
  /** The server's http or https address. */
  url: string;
  auth?: string;
  /** Path and query; asked again for every connection. */
  path: () => string;
  /** A text frame that is JSON. NaN and Infinity are read as null. */
  onJson: (value: unknown) => void;
  onBinary: (data: Buffer) => void;
  /** A frame that means nothing: no JSON, broken, too long. The socket goes on, with a new connection if it must. */
  onGarbage?: (reason: string) => void;
  onOpen?: () => void;
  /** The connection ended, or none came about. A new one is tried until `close`. */
  onClose?: (reason: string) => void;
  /** Of one message. Default 64 MiB. */
  maxBytes?: number;
  /** Between two pings; a server that is silent for two of them is given up. Default 15 s. */
  pingMs?: number;
  /** The pause before the first new connection and the longest one. Default 0.5 s and 30 s. */
  retryMs?: { first: number; longest: number };
}

/** A WebSocket that connects again whenever it is cut, until it is closed. Whatever was sent meanwhile is lost. */
export class ReconnectingSocket {
  readonly #options: SocketOptions;
  readonly #base: string;
  readonly #headers: Record<string, string>;
  #socket: WebSocket | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  constructor(options: SocketOptions) {
    const { base, authorization } = readAddress(options.url, options.auth);
    this.#options = options;
    this.#base = base.replace(/^http/, 'ws');
    this.#headers = authorization === undefined ? {} : { Authorization: authorization };
    this.#connect();
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    const socket = this.#socket;
    if (socket === undefined || socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const force = setTimeout(() => socket.terminate(), 1_000);
    socket.close(1000);
    await closed;
    clearTimeout(force);
  }

  #connect(): void {
    const { path, maxBytes = 64 * 1024 * 1024, pingMs = 15_000, onOpen, onClose, onGarbage } = this.#options;
    const socket = new WebSocket(this.#base + path(), {
      headers: this.#headers,
      maxPayload: maxBytes,
      handshakeTimeout: 10_000,
      perMessageDeflate: false,
      followRedirects: false,
    });
    this.#socket = socket;
    let heard = true;
    let reason = '';
    let pings: NodeJS.Timeout | undefined;
    const hear = () => {
      heard = true;
      this.#failures = 0;
    };
    socket.on('open', () => {
      pings = setInterval(() => {
        // A connection that died without a word stays open for hours.
        if (!heard) socket.terminate();
        else socket.ping();
        heard = false;
      }, pingMs);
      onOpen?.();
    });
    socket.on('pong', hear);
    socket.on('ping', hear);
    socket.on('message', (data, isBinary) => {
      hear();
      this.#read(data, isBinary);
    });
    socket.on('error', (error) => {
      reason = error.message;
      if ('code' in error && String(error.code).startsWith('WS_ERR')) onGarbage?.(error.message);
    });
    socket.on('close', (code) => {
      clearInterval(pings);
      if (this.#closed) return;
      this.#retry = setTimeout(() => this.#connect(), this.#pause());
      onClose?.(reason || `closed with code ${code}`);
    });
  }

  #read(data: RawData, isBinary: boolean): void {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer);
    if (isBinary) {
      this.#options.onBinary(bytes);
      return;
    }
    const text = bytes.toString('utf8');
    let value: unknown;
    try {
      value = parseJson(text);
    } catch {
      this.#options.onGarbage?.(`no JSON: ${excerpt(text)}`);
      return;
    }
    this.#options.onJson(value);
  }

  /** Exponential, with jitter. */
  #pause(): number {
    const { first, longest } = this.#options.retryMs ?? { first: 500, longest: 30_000 };
    return Math.min(longest, first * 2 ** this.#failures++) * (0.5 + Math.random() / 2);
  }
}
