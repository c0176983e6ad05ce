import { BackendError, type Fault } from '../../errors.js';
import { excerpt, NetError } from '../../net/index.js';
import { readGpuError } from '../gpu-errors.js';
import { describeUnauthorized } from '../unauthorized.js';
import { didYouMean } from './bindings.js';
import { nodeName, type Graph } from './graph.js';
import {
  executionError,
  lastMessage,
  nodeError,
  refusal,
  type HistoryEntry,
  type Problem,
} from './schema.js';

/**
 * A failure of the connection as what the caller must know: whose fault it is. Other errors come back as they are.
 * That a server cannot be asked says nothing about a prompt that it was sent, unless it is known otherwise.
 */
export function toBackendError(backend: string, thrown: unknown, mayHoldWork = true): unknown {
  if (!(thrown instanceof NetError)) return thrown;
  const fail = (message: string, fault: Fault) =>
    new BackendError(message, {
      backend,
      fault,
      unreachable: thrown.kind === 'unreachable',
      mayHoldWork,
      cause: thrown,
    });
  if (thrown.kind === 'redirect') return fail(thrown.message, 'backend');
  // A web page is a proxy's while the server restarts, most often: it may answer properly next time.
  if (thrown.kind !== 'status') return fail(thrown.message, 'transient');
  const { status = 0 } = thrown;
  const words = excerpt(thrown.body ?? '');
  if (status === 401) {
    return fail(describeUnauthorized(thrown, words), 'backend');
  }
  if (status === 403)
    return fail(`refuses to talk to us (403: ${words}). Check the proxy before it.`, 'backend');
  if (status === 404 || status === 405) {
    return fail(`this is no ComfyUI server: ${thrown.message}. Check the URL.`, 'backend');
  }
  if (status === 429) return fail(`is asked too often (429: ${words}).`, 'transient');
  if (status === 413)
    return fail(`refused the request as too large (413). See its --max-upload-size.`, 'request');
  return fail(`failed (${status}: ${words}).`, status >= 500 || status === 408 ? 'transient' : 'request');
}

/** Whether a look that failed so says nothing about the job: the server is slow, restarts, or is behind a proxy. */
export function isPassing(thrown: unknown): thrown is NetError {
  if (!(thrown instanceof NetError)) return false;
  return thrown.kind === 'status'
    ? (thrown.status ?? 0) >= 500 || thrown.status === 429
    : thrown.kind !== 'redirect';
}

/** Choices of an input by node class, where they are known, for near matches. */
export type Suggest = (classType: string, input: string | undefined, asked: string) => Promise<string[]>;

/** What is wrong with a prompt that was refused (a 400's body), or whose outputs were (`node_errors` of a 200). */
export async function describeRefusal(body: unknown, graph: Graph, suggest: Suggest): Promise<string> {
  const { error, node_errors: nodeErrors = {} } = refusal.safeParse(body).data ?? {};
  const parts: string[] = [];
  for (const [id, raw] of Object.entries(nodeErrors)) {
    for (const problem of nodeError.safeParse(raw).data?.errors ?? []) {
      parts.push(await describeProblem(problem, graph, id, suggest));
    }
  }
  if (parts.length === 0 && error !== undefined) {
    parts.push(typeof error === 'string' ? error : await describeWhole(error, graph, suggest));
  }
  return parts.length === 0 ? excerpt(JSON.stringify(body)) : parts.slice(0, 5).join('; ');
}

async function describeProblem(
  problem: Problem,
  graph: Graph,
  id: string,
  suggest: Suggest,
): Promise<string> {
  const { type, message = '', details = '', extra_info: extra } = problem;
  const input = extra?.input_name;
  const where = `${nodeName(graph, id)}${input === undefined ? '' : `, input ${input}`}`;
  if (type === 'value_not_in_list') {
    const asked = String(extra?.received_value);
    const alike = await suggest(graph[id]?.class_type ?? '', input, asked);
    return `${where}: the server has no "${asked}".${didYouMean(alike)}`;
  }
  return `${where}: ${excerpt(message)}${details === '' || details === input ? '' : ` (${excerpt(details)})`}`;
}

async function describeWhole(error: Problem, graph: Graph, suggest: Suggest): Promise<string> {
  const { type, message = '', details = '', extra_info: extra } = error;
  if (type === 'missing_node_type' || type === 'invalid_prompt') {
    // Older servers name it in the text alone.
    const id = extra?.node_id ?? /#'?(\w[\w:]*)/.exec(details)?.[1] ?? '';
    const name = extra?.class_type ?? graph[id]?.class_type;
    if (name !== undefined) {
      return `the server has no node class ${name}, which ${nodeName(graph, id)} needs: install the extension that brings it.${didYouMean(await suggest(name, undefined, name))}`;
    }
  }
  return excerpt(details === '' || details === message ? message : `${message}: ${details}`);
}

/** Whether a prompt in the history was stopped, by us or by somebody at the server. */
export function wasInterrupted(entry: HistoryEntry): boolean {
  return lastMessage(entry, 'execution_interrupted') !== undefined;
}

/** How a prompt in the history failed; undefined where it succeeded. */
export function failureOf(backend: string, entry: HistoryEntry): BackendError | undefined {
  const fail = (message: string, needsRestart = false) =>
    new BackendError(message, { backend, fault: 'transient', needsRestart });
  const error = executionError.safeParse(lastMessage(entry, 'execution_error')).data;
  if (error !== undefined) {
    const {
      node_id: id = '?',
      node_type: type = '?',
      exception_type: kind = '',
      exception_message = '',
    } = error;
    const words = excerpt(exception_message);
    const gpu = readGpuError(`${kind}: ${exception_message}`);
    if (gpu === 'broken') return fail(`must be restarted: node ${id} (${type}): ${words}`, true);
    if (gpu === 'memory') return fail(`ran out of memory in node ${id} (${type}): ${words}`);
    return fail(`node ${id} (${type}) failed: ${kind}${kind && ': '}${words}`);
  }
  if (wasInterrupted(entry)) return fail('was interrupted before the image was done.');
  return entry.status?.status_str === 'error' ? fail('failed, and does not say why.') : undefined;
}
