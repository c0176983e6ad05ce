import { BackendError, type Fault } from '../../errors.js';
import { excerpt, NetError, parseJson, type HttpClient } from '../../net/index.js';
import type { Body } from './mapping.js';
import { readGpuError } from '../gpu-errors.js';
import { describeUnauthorized } from '../unauthorized.js';
import { failure } from './schema.js';

/**
 * A failure of the connection as what the caller must know: whose fault it is. `body` is the call
 * that failed. Errors of other kinds (an abort's reason, a bug) come back as they are.
 */
export async function explain(
  backend: string,
  http: HttpClient,
  thrown: unknown,
  signal: AbortSignal,
  body?: Body,
): Promise<unknown> {
  const error = toBackendError(backend, thrown, body);
  const isGone = thrown instanceof NetError && thrown.status === 404;
  const other = isGone && error instanceof BackendError && error.fault === 'backend';
  const kind = other && !signal.aborted ? await otherKind(http, signal) : undefined;
  return kind === undefined ? error : new BackendError(kind, { backend, fault: 'backend' });
}

/**
 * Statuses that none of these servers sends: a proxy before them has waited long enough, or cannot reach them. nginx
 * gives an answer 60 s, hosted proxies 100 s, and an image takes longer; the server goes on with it.
 */
export function isFromProxy(error: unknown): boolean {
  if (!(error instanceof NetError) || error.kind !== 'status') return false;
  const { status = 0 } = error;
  return [408, 502, 503, 504].includes(status) || (status >= 520 && status <= 524);
}

function toBackendError(backend: string, thrown: unknown, body?: Body): unknown {
  if (!(thrown instanceof NetError)) return thrown;
  const fail = (message: string, fault: Fault, needsRestart = false) =>
    new BackendError(message, { backend, fault, needsRestart, cause: thrown });
  switch (thrown.kind) {
    case 'unreachable':
      return new BackendError(thrown.message, {
        backend,
        fault: 'transient',
        unreachable: true,
        cause: thrown,
      });
    case 'broken':
    case 'timeout':
      return fail(thrown.message, 'transient');
    case 'not-json':
      // A proxy's page while the server restarts, most often: it may answer properly next time.
      return fail(thrown.message, 'transient');
    case 'too-large':
      return fail(`${thrown.message} Ask for a smaller picture.`, 'request');
    case 'redirect':
      return fail(thrown.message, 'backend');
    case 'status':
      return ofStatus(thrown, fail, body);
  }
}

function ofStatus(
  error: NetError,
  fail: (message: string, fault: Fault, needsRestart?: boolean) => BackendError,
  body: Body | undefined,
): BackendError {
  const { status = 0 } = error;
  const words = serverWords(error);
  if (status === 401 || status === 403) {
    return fail(describeUnauthorized(error, words), 'backend');
  }
  if (status === 404 && isUnknownPath(error)) {
    return fail('has no API at this address: start it with --api, and check the URL.', 'backend');
  }
  if (status === 429) return fail(`is asked too often (429: ${words}).`, 'transient');
  if (status < 500 && status !== 408) return fail(`cannot do this (${status}: ${words}).`, 'request');
  const gpu = readGpuError(words);
  if (gpu === 'broken') return fail(`must be restarted (${status}: ${words}).`, 'transient', true);
  if (gpu === 'memory') return fail(`ran out of memory: ${words}`, 'transient');
  if (body && isFromProxy(error)) {
    const hint = "If a proxy before it gave up waiting for the image, raise the proxy's timeout.";
    return fail(`failed (${status}: ${words}). ${hint}`, 'transient');
  }
  return fail(`failed (${status}: ${words}).`, isHopeless(words, body) ? 'request' : 'transient');
}

/** FastAPI's own answer to a path that nobody serves, and other servers' plain 404. */
function isUnknownPath(error: NetError): boolean {
  const parsed = parsedBody(error);
  return parsed === undefined || (parsed.detail === 'Not Found' && parsed.error === undefined);
}

/** 500s that say that what was asked for is not there, now or later. */
function isHopeless(words: string, body: Body | undefined): boolean {
  if (/could not find upscaler|invalid encoded image|model '.*' not found/i.test(words)) return true;
  const settings = body?.['override_settings'];
  // A1111 looks an unknown setting up and answers with the KeyError.
  return (
    words.startsWith('KeyError') &&
    typeof settings === 'object' &&
    settings !== null &&
    Object.keys(settings).some((key) => words.includes(key))
  );
}

/** What the server said, in one line. */
function serverWords(error: NetError): string {
  const parsed = parsedBody(error);
  if (parsed === undefined) return excerpt(error.body ?? '');
  const detail = typeof parsed.detail === 'string' ? parsed.detail : validation(parsed.detail);
  const words = [parsed.error, detail, parsed.errors, parsed.message].filter((word) => word);
  return excerpt([...new Set(words)].join(': ')) || excerpt(error.body ?? '');
}

/** pydantic's list of fields, `[{ loc, msg }]`. */
function validation(detail: unknown): string {
  if (!Array.isArray(detail)) return '';
  return detail
    .map((item: unknown) => {
      const { loc, msg } = (item ?? {}) as { loc?: unknown; msg?: unknown };
      return `${Array.isArray(loc) ? loc.join('.') : '?'}: ${String(msg)}`;
    })
    .join('; ');
}

function parsedBody(error: NetError) {
  try {
    return failure.safeParse(parseJson(error.body ?? '')).data;
  } catch {
    return undefined;
  }
}

/** Names the server behind the URL where it is of another kind. Asked only when /sdapi is not there. */
async function otherKind(http: HttpClient, signal: AbortSignal): Promise<string | undefined> {
  const stats = await http.getJson('/system_stats', { signal, timeoutMs: 5_000 }).catch(() => undefined);
  const isComfy = typeof stats === 'object' && stats !== null && 'system' in stats;
  return isComfy ? 'is a ComfyUI server: write "kind: comfyui" for it.' : undefined;
}
