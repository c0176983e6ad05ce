import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Seen {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  /** Parsed where it is JSON. */
  body: unknown;
}

/** Answers one path: a value is sent as JSON, a function does as it likes. */
export type Answer = ((response: ServerResponse, seen: Seen) => unknown) | object;

export interface ScriptedServer {
  url: string;
  seen: Seen[];
  close(): Promise<void>;
}

/** A real server on a free port that says what the test wrote down; 404 as FastAPI does for all else. */
export async function serve(answers: Record<string, Answer>): Promise<ScriptedServer> {
  const seen: Seen[] = [];
  const onRequest: RequestListener = (request, response) => {
    void (async () => {
      const path = new URL(request.url ?? '/', 'http://server').pathname;
      const body = await readBody(request);
      const one = { method: request.method ?? '', path, headers: request.headers, body };
      seen.push(one);
      const answer = answers[path];
      if (typeof answer === 'function') await answer(response, one);
      else sendJson(response, answer ?? { detail: 'Not Found' }, answer ? 200 : 404);
    })();
  };
  const server = createServer(onRequest);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

export function sendText(response: ServerResponse, text: string, status = 200, type = 'text/html'): void {
  response.writeHead(status, { 'content-type': type }).end(text);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  const text = Buffer.concat(parts).toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
