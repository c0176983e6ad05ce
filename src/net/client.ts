import axios, { type AxiosResponse } from 'axios';
import { RerollError, systemCode, toError } from '../errors.js';
import { readAddress } from './address.js';
import { openAgents, type Agents } from './agent.js';
import { withDeadline } from './deadline.js';
import { NetError } from './errors.js';
import { parseJson } from './json.js';

const MiB = 1024 * 1024;
const keptBody = 64 * 1024;

export interface CallOptions {
  signal: AbortSignal;
  /** From the call to the last byte of its answer. Infinity for a job that takes as long as it takes. Default 30 s. */
  timeoutMs?: number;
  /** Of the reply. Default 64 MiB. */
  maxBytes?: number;
  query?: Record<string, string | number | boolean>;
}

/**
 * HTTP to one server: bounded in time and size, never redirected, never through a proxy of the
 * environment. Every POST has a connection of its own, so that one that fails as `unreachable` was
 * certainly not read.
 */
export class HttpClient {
  readonly base: string;
  readonly #authorization: string | undefined;
  readonly #pooled: Agents = openAgents(true);
  readonly #single: Agents = openAgents(false);

  /** `auth`: `user:password` or `Bearer ...`. */
  constructor(url: string, auth?: string) {
    const address = readAddress(url, auth);
    this.base = address.base;
    this.#authorization = address.authorization;
  }

  /** The parsed reply; undefined where it is empty (204). NaN and Infinity are read as null. */
  async getJson(path: string, options: CallOptions): Promise<unknown> {
    return this.#json(path, await this.#get(path, options));
  }

  /** Posts JSON, or a form with files (FormData). The reply as in `getJson`. */
  async postJson(path: string, body: object, options: CallOptions): Promise<unknown> {
    return this.#json(path, await this.#call('POST', path, body, options));
  }

  async getBytes(path: string, options: CallOptions): Promise<Buffer> {
    return (await this.#get(path, options)).data;
  }

  /** Closes idle connections. */
  close(): void {
    for (const agents of [this.#pooled, this.#single]) {
      agents.http.destroy();
      agents.https.destroy();
    }
  }

  async #get(path: string, options: CallOptions): Promise<AxiosResponse<Buffer>> {
    try {
      return await this.#call('GET', path, undefined, options);
    } catch (error) {
      // The kept connection was closed under the question: asking again does no harm.
      if (!(error instanceof NetError && error.kind === 'broken')) throw error;
      return this.#call('GET', path, undefined, options);
    }
  }

  async #call(
    method: 'GET' | 'POST',
    path: string,
    data: object | undefined,
    { signal, timeoutMs = 30_000, maxBytes = 64 * MiB, query }: CallOptions,
  ): Promise<AxiosResponse<Buffer>> {
    const url = this.base + path;
    const agents = method === 'GET' ? this.#pooled : this.#single;
    const onTimeout = () => new NetError('timeout', `${url} did not answer within ${timeoutMs / 1000} s.`);
    return withDeadline(signal, timeoutMs, onTimeout, async (bounded) => {
      const response = await axios
        .request<Buffer>({
          method,
          url,
          data,
          params: query,
          signal: bounded,
          headers: {
            Accept: 'application/json, */*',
            ...(this.#authorization !== undefined && { Authorization: this.#authorization }),
          },
          responseType: 'arraybuffer',
          maxContentLength: maxBytes,
          maxBodyLength: Infinity,
          maxRedirects: 0,
          proxy: false,
          httpAgent: agents.http,
          httpsAgent: agents.https,
          validateStatus: () => true,
        })
        .catch((thrown: unknown) => {
          throw bounded.aborted ? bounded.reason : netError(url, toError(thrown), maxBytes);
        });
      refuse(url, response, this.#authorization !== undefined);
      return response;
    });
  }

  #json(path: string, response: AxiosResponse<Buffer>): unknown {
    const text = response.data.toString('utf8');
    if (text.trim() === '') return undefined;
    try {
      return parseJson(text);
    } catch (cause) {
      const what = cause instanceof RerollError ? cause.message : `no JSON but ${excerpt(text)}`;
      throw new NetError('not-json', `${this.base}${path} answered with ${what}`, {
        status: response.status,
        body: text.slice(0, keptBody),
        cause,
      });
    }
  }
}

/** A body in a few words, for a message. Looks at its beginning alone. */
export function excerpt(body: string): string {
  const text = body.slice(0, 8 * 1024);
  if (/^\s*<(?:!doctype|html|\?xml)/i.test(text)) {
    const title = titleOf(text);
    return title === '' ? 'a web page' : `a web page ("${title}")`;
  }
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 300 ? `${line.slice(0, 300)}...` : line;
}

function titleOf(page: string): string {
  const tag = page.search(/<title/i);
  const start = tag < 0 ? -1 : page.indexOf('>', tag);
  return start < 0 ? '' : (/^[^<]*/.exec(page.slice(start + 1, start + 201))?.[0].trim() ?? '');
}

function refuse(url: string, response: AxiosResponse<Buffer>, authorized: boolean): void {
  const { status, data, headers } = response;
  const body = data.subarray(0, keptBody).toString('utf8');
  if (status >= 400) {
    const words = excerpt(body);
    const message = `${url} answered ${status}${words && `: ${words}`}`;
    throw new NetError('status', message, { status, body, authorized });
  }
  if (status >= 300) {
    const target = String(headers['location'] ?? 'nowhere');
    throw new NetError(
      'redirect',
      `${url} redirects to ${target}. If you trust that address, give it as the URL.`,
      {
        status,
      },
    );
  }
}

/** No byte can have been sent: these come before the connection stands. */
const unreachable = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ETIMEDOUT',
  'ECONNTIMEOUT',
]);

function netError(url: string, error: Error, maxBytes: number): NetError {
  const code = systemCode(error) ?? '';
  // Axios has no code of its own for it.
  if (error.message.startsWith('maxContentLength')) {
    const limit = `${Math.round(maxBytes / MiB)} MiB`;
    return new NetError('too-large', `${url} sent more than ${limit}; the rest was refused.`);
  }
  // The cause is not kept: axios puts the whole request, password included, into its errors.
  const why = code.startsWith('ERR_') || code === '' ? error.message : code;
  // A standing connection can end with ETIMEDOUT or EHOSTUNREACH too: then it is a read that failed.
  const reading = error.cause instanceof Error && 'syscall' in error.cause && error.cause.syscall === 'read';
  if (/CERT|VERIFY|ISSUER/.test(code)) {
    const advice = 'name the file of its authority in NODE_EXTRA_CA_CERTS';
    return new NetError('unreachable', `the certificate of ${url} is not trusted (${why}): ${advice}.`);
  }
  // The first answer to a TLS greeting was none: a server without TLS behind https.
  if (code === 'EPROTO' || /SSL|TLS/.test(code)) {
    return new NetError('unreachable', `${url} does not speak TLS (${code}): is it http, not https?`);
  }
  if (!reading && unreachable.has(code)) {
    const advice = code === 'ECONNREFUSED' ? ' Is it running, and is the port right?' : '';
    return new NetError('unreachable', `nothing usable answers at ${url} (${why}).${advice}`);
  }
  return new NetError('broken', `the connection to ${url} was lost (${why}).`);
}
