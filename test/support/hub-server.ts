import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One model on the test's Hub. Files over `lfsBytes` are kept on the second host, as on the real one. */
export interface HubModel {
  files: Record<string, Buffer>;
  license?: string;
  /** 40 hex digits. */
  commit: string;
  /** Says another checksum than the content has. */
  wrongChecksums?: boolean;
}

export interface SeenRequest {
  /** Which of the two hosts was asked. */
  host: 'hub' | 'storage';
  path: string;
  authorization: string | undefined;
  range: string | undefined;
}

/** Answers a request itself and returns true, or leaves it to the Hub. */
export type Intercept = (request: SeenRequest, response: ServerResponse) => boolean;

export interface TestHub {
  url: string;
  seen: SeenRequest[];
  intercept: Intercept | undefined;
  close(): Promise<void>;
}

const lfsBytes = 10_000;
const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');
const gitHash = (data: Buffer) =>
  createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex');

/** A small Hugging Face Hub on loopback: model listings, small files itself, large files on a second host. */
export async function startHub(models: Record<string, HubModel>): Promise<TestHub> {
  const hub: TestHub = { url: '', seen: [], intercept: undefined, close: () => Promise.resolve() };
  // Asked anew each time: a test may add a model.
  const blob = (hash: string) =>
    Object.values(models)
      .flatMap(({ files }) => Object.values(files))
      .find((data) => sha256(data) === hash);

  const note = (host: SeenRequest['host'], request: IncomingMessage): SeenRequest => {
    const seen = {
      host,
      path: request.url ?? '',
      authorization: request.headers.authorization,
      range: request.headers.range,
    };
    hub.seen.push(seen);
    return seen;
  };

  const storage = createServer((request, response) => {
    const seen = note('storage', request);
    if (hub.intercept?.(seen, response)) return;
    const data = blob(seen.path.slice(1));
    if (data) sendFile(response, data, seen.range);
    else response.writeHead(404).end();
  });
  const storageUrl = await listen(storage);

  const server = createServer((request, response) => {
    const seen = note('hub', request);
    if (hub.intercept?.(seen, response)) return;
    const url = new URL(seen.path, 'http://hub');
    const [, name, revision] = /^\/api\/models\/(.+)\/revision\/([^/]+)$/.exec(url.pathname) ?? [];
    const listed = models[name ?? ''];
    if (listed && revision !== undefined) {
      if (![listed.commit, 'main', 'refs%2Fpr%2F1'].includes(revision)) {
        refuse(response, 404, 'Invalid rev id');
        return;
      }
      return void response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify(listing(listed)));
    }
    const [, owner, commit, path] = /^\/(.+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname) ?? [];
    const model = models[owner ?? ''];
    const data = model?.commit === commit ? model?.files[path ?? ''] : undefined;
    if (!data) {
      refuse(response, 404, 'Entry not found');
      return;
    }
    if (data.length < lfsBytes) sendFile(response, data, seen.range);
    else response.writeHead(302, { location: `${storageUrl}/${sha256(data)}` }).end();
  });
  hub.url = await listen(server);
  hub.close = async () => {
    await Promise.all([stop(server), stop(storage)]);
  };
  return hub;
}

export function refuse(response: ServerResponse, status: number, message: string, headers = {}): void {
  response.writeHead(status, { 'x-error-message': message, ...headers }).end(message);
}

function listing({ files, license, commit, wrongChecksums }: HubModel): object {
  const siblings = Object.entries(files).map(([rfilename, data]) => {
    const hashed = wrongChecksums ? Buffer.concat([data, Buffer.from('!')]) : data;
    return {
      rfilename,
      size: data.length,
      blobId: gitHash(hashed),
      ...(data.length >= lfsBytes && {
        lfs: { sha256: sha256(hashed), size: data.length, pointerSize: 134 },
      }),
    };
  });
  return { id: 'x', sha: commit, siblings, cardData: license === undefined ? null : { license } };
}

function sendFile(response: ServerResponse, data: Buffer, range: string | undefined): void {
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  if (start >= data.length && start > 0) return void response.writeHead(416).end();
  response.writeHead(start > 0 ? 206 : 200, {
    'content-length': data.length - start,
    ...(start > 0 && { 'content-range': `bytes ${start}-${data.length - 1}/${data.length}` }),
  });
  response.end(data.subarray(start));
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
