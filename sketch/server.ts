import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { EventEmitter } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { a1111Face } from './a1111/face.js';
import { comfyFace } from './comfyui/face.js';
import { Files } from './comfyui/files.js';
import { Gpu } from './gpu.js';
import { Studio, type Life } from './studio.js';
import type { Artist, Protocol, SketchOptions, SketchServer } from './types.js';

/** What speaks a protocol. */
export interface Face {
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  upgrade?(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

const faces: Readonly<Record<Protocol, (life: Life, files: Files) => Face>> = {
  a1111: a1111Face,
  comfyui: comfyFace,
};

export const defaults: SketchOptions = {
  protocol: 'a1111',
  flavour: 'a1111',
  port: 0,
  host: '127.0.0.1',
  latencyMs: 0,
  badRate: 0.5,
  failRate: 0,
  faults: [],
  // The names behind its own are those of public files: examples that name them can be tried on it.
  checkpoints: [
    'sketch-hands-v1.safetensors',
    'sketch-hands-v2.safetensors',
    'v1-5-pruned-emaonly.safetensors',
    'sd_xl_base_1.0.safetensors',
    'flux1-dev-fp8.safetensors',
  ],
  reloadMs: 0,
};

/** Starts a server whose hands `draw` draws. Resolves when it listens; rejects when the port is taken. */
export async function openServer(given: Partial<SketchOptions>, draw: Artist): Promise<SketchServer> {
  const options = { ...defaults, ...withoutUndefined(given) };
  const studio = new Studio(options, draw);
  const files = new Files();
  let port = options.port;
  let life = await begin();

  async function begin(): Promise<{ http: Server; end: AbortController }> {
    const end = new AbortController();
    const gpu = new Gpu(options.checkpoints[0] ?? 'none', options.reloadMs, end.signal);
    studio.work(gpu);
    const face = faces[options.protocol]({ studio, gpu, gone: end.signal }, files);
    const http = createServer((request, response) => void face.handle(request, response));
    http.requestTimeout = 0; // the work may take longer than Node's default of five minutes
    http.on('upgrade', (request, socket, head) =>
      face.upgrade ? face.upgrade(request, socket, head) : socket.destroy(),
    );
    await new Promise<void>((resolve, reject) => {
      http.once('error', reject).listen(port, options.host, resolve);
    });
    port = (http.address() as AddressInfo).port;
    return { http, end };
  }

  async function stop(): Promise<void> {
    life.end.abort();
    const closed = new Promise((resolve) => life.http.close(resolve));
    life.http.closeAllConnections();
    await closed;
  }

  return {
    get port() {
      return port;
    },
    get url() {
      const host = options.host.includes(':') ? `[${options.host}]` : options.host;
      return `http://${host}:${port}`;
    },
    protocol: options.protocol,
    close: stop,
    async restart() {
      await stop();
      life = await begin();
    },
    stats: () => studio.stats(),
    setFaults: (rate, faults) => studio.plan.set(rate, faults),
    nextFault: (fault) => studio.plan.push(fault),
    faultFor: (words, fault) => studio.plan.setFor(words, fault),
    once: (event, listener) => void (studio.events as EventEmitter).once(event, listener),
  };
}

function withoutUndefined(given: Partial<SketchOptions>): Partial<SketchOptions> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
