import { setTimeout as sleep } from 'node:timers/promises';

import { ModelError, systemCode, toError } from '../../errors.js';
import type { OnEvent } from '../events.js';
import type { HubSettings } from './settings.js';

const maxRedirects = 5;

/** A server that asks for more than this is not waited for. */
const maxWaitSeconds = 60;

/** A failure that may pass: the Hub is asked again. */
export class PassingError extends Error {
  constructor(
    message: string,
    /** Seconds, where the server named them. */
    readonly retryAfter?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Nothing answers at the address: no network, a wrong address, or a proxy that must be gone through. */
export class UnreachableError extends PassingError {}

const unreachable = /^(E[A-Z]+UNREACH|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|Connect Timeout)/;

/**
 * Runs `attempt` until it succeeds, fails for good, or has failed `patience.tries` times in a row.
 * `attempt` calls `progress` when it got further, which starts the count anew.
 */
export async function withPatience<T>(
  what: string,
  { patience }: HubSettings,
  onEvent: OnEvent | undefined,
  signal: AbortSignal | undefined,
  attempt: (progress: () => void) => Promise<T>,
): Promise<T> {
  for (let failures = 0; ;) {
    try {
      return await attempt(() => (failures = 0));
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof PassingError)) throw error;
      failures++;
      const seconds = error.retryAfter ?? (patience.backoffMs * 2 ** (failures - 1)) / 1000;
      if (failures >= patience.tries || seconds > maxWaitSeconds) {
        throw new ModelError(`${what}: ${error.message}. Try again later: what was fetched so far is kept`, {
          cause: error,
        });
      }
      onEvent?.({ kind: 'retrying', what, reason: error.message, seconds });
      await sleep(seconds * 1000, undefined, signal && { signal });
    }
  }
}

/**
 * One GET to the Hub. Redirects are followed by hand, so that the token goes to the Hub's own host alone:
 * large files lie on other hosts, behind addresses that are signed already.
 * Throws PassingError for what may pass, ModelError for the rest. The caller must read or cancel the body.
 */
export async function get(
  path: string,
  { endpoint, token, fetch }: HubSettings,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  let url = new URL(endpoint + path);
  const home = url.origin;
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const authorization =
      token !== undefined && url.origin === home ? { authorization: `Bearer ${token}` } : {};
    const response = await fetch(url, {
      headers: { 'user-agent': 'reroll', ...headers, ...authorization },
      redirect: 'manual',
      signal,
    }).catch((error: unknown) => {
      const reason = reasonOf(error);
      const Failure = unreachable.test(reason) ? UnreachableError : PassingError;
      throw new Failure(`${url.host} does not answer (${reason})`, undefined, { cause: error });
    });
    if (response.ok) return response;
    const location = response.headers.get('location');
    if (
      response.status >= 300 &&
      response.status < 400 &&
      location !== null &&
      URL.canParse(location, url.href)
    ) {
      await response.body?.cancel();
      url = new URL(location, url);
      continue;
    }
    await response.body?.cancel();
    throw failure(response, url.host, token !== undefined);
  }
  throw new ModelError(`${new URL(endpoint).host} sends ${path} round in circles`);
}

/** fetch says "fetch failed" and hides why in its cause; undici's own codes say less than its words. */
export function reasonOf(error: unknown): string {
  const { cause, message } = toError(error);
  if (!(cause instanceof Error)) return message;
  const code = systemCode(cause);
  return code === undefined || code.startsWith('UND_') ? cause.message : code;
}

function failure(response: Response, host: string, hasToken: boolean): Error {
  const { status, headers } = response;
  const words = headers.get('x-error-message')?.slice(0, 300);
  const said = `${host} answers ${status}${words ? `: ${words}` : ''}`;
  if (status === 401) {
    return new ModelError(
      hasToken
        ? `${said}. It does not accept HF_TOKEN, or there is no such model: check both`
        : `${said}. There is no such model, or it is not public: check the name, or set HF_TOKEN to a token that may read it`,
    );
  }
  if (status === 403) {
    return new ModelError(
      `${said}. HF_TOKEN may not read this model: accept its terms on the model's page first`,
    );
  }
  if (status === 404) return new ModelError(`${said}. Check the model's name and the revision`);
  if (status === 429) return new PassingError(`${said}: too many requests`, retryAfter(headers));
  if (status >= 500 || status === 408) return new PassingError(said, retryAfter(headers));
  return new ModelError(said);
}

function retryAfter(headers: Headers): number | undefined {
  const seconds = Number(headers.get('retry-after') ?? NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}
