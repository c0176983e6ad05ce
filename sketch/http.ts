import type { IncomingMessage, ServerResponse } from 'node:http';

/** An answer that ends a request from anywhere below its handler. */
export class HttpAnswer extends Error {
  override readonly name = 'HttpAnswer';

  constructor(
    readonly status: number,
    /** Sent as JSON; a string is sent as plain text. */
    readonly body: unknown,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(`HTTP ${status}`);
  }
}

export interface Call {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  /** What the path's parameters stand for. */
  params: readonly string[];
}

export type Handler = (call: Call) => void | Promise<void>;

/** Routes by method and path: `GET /history/:` has one parameter, a whole path segment. */
export class Router {
  readonly #routes: { method: string; path: string; pattern: RegExp; handler: Handler }[] = [];

  add(methodAndPath: string, handler: Handler): void {
    const [method = '', path = ''] = methodAndPath.split(' ');
    const pattern = new RegExp(`^${path.replaceAll(':', '([^/]+)')}$`);
    this.#routes.push({ method, path, pattern, handler });
  }

  /** Every path with a handler, once. */
  paths(): string[] {
    return [...new Set(this.#routes.map((route) => route.path))];
  }

  /** The handler for a request; 'method' if only other methods have one there. */
  find(method: string, path: string): { handler: Handler; params: string[] } | 'method' | undefined {
    const here = this.#routes.flatMap((route) => {
      const match = route.pattern.exec(path);
      return match ? [{ route, params: match.slice(1).map((part) => decodeURIComponent(part)) }] : [];
    });
    const wanted = method === 'HEAD' ? 'GET' : method;
    const found = here.find(({ route }) => route.method === wanted);
    if (found) return { handler: found.route.handler, params: found.params };
    return here.length > 0 ? 'method' : undefined;
  }
}

/** What a request asks for. @throws HttpAnswer 400 for a target that is no URL. */
export function urlOf(request: IncomingMessage): URL {
  const target = request.url ?? '/';
  if (!URL.canParse(target, 'http://sketch')) throw new HttpAnswer(400, 'Invalid HTTP request received.');
  return new URL(target, 'http://sketch');
}

/** The request's body. @throws HttpAnswer 413 when it is longer than `limit` bytes. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > limit) {
      throw new HttpAnswer(413, '413: Request Entity Too Large', { connection: 'close' });
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

export function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.destroyed || response.headersSent) return; // the client has gone
  if (Buffer.isBuffer(body)) {
    response.writeHead(status, { 'content-length': body.length, ...headers }).end(body);
    return;
  }
  const text = typeof body === 'string' ? body : JSON.stringify(body ?? null);
  const type = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
  response
    .writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text), ...headers })
    .end(text);
}

export function sendHtml(response: ServerResponse, status: number, html: string): void {
  send(response, status, html, { 'content-type': 'text/html; charset=utf-8' });
}

export type JsonObject = Record<string, unknown>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a proxy shows instead of the server it cannot reach. */
export const proxyPage = `<html>
<head><title>502 Bad Gateway</title></head>
<body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body>
</html>
`;
