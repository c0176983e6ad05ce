import { BackendError } from '../../errors.js';
import { NetError, parseJson, type HttpClient } from '../../net/index.js';
import { near } from '../near.js';
import type { GenerateJob } from '../port.js';
import { describeRefusal, isPassing, toBackendError, type Suggest } from './faults.js';
import type { Graph } from './graph.js';
import type { Lists } from './lists.js';
import { posted } from './schema.js';
import type { Watch } from './watch.js';

/** Posts prompts, and says in words why one was refused. */
export class Posts {
  constructor(
    readonly backend: string,
    readonly http: HttpClient,
    readonly lists: Lists,
    readonly watch: Watch,
    /** Of an account at comfy.org. The server takes it out before it shows the prompt to anybody. */
    readonly apiKey?: string,
  ) {}

  /** The id under which the server has the prompt. `clientId`: whom it shall tell about it. */
  async post(job: GenerateJob, graph: Graph, clientId: string, signal: AbortSignal): Promise<string> {
    const body = {
      prompt: graph,
      prompt_id: job.remoteId,
      // Without one, some versions answer from the cache with no outputs at all.
      client_id: clientId,
      extra_data: {
        ...extraData(job),
        ...(this.apiKey !== undefined && { api_key_comfy_org: this.apiKey }),
      },
    };
    let reply: unknown;
    try {
      reply = await this.http.postJson('/prompt', body, { signal, timeoutMs: 60_000 });
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      if (error.status === 400) throw await this.#refused(bodyOf(error), graph, signal);
      // Where the answer alone was lost the server has the prompt: the id is ours, so it can be found.
      if (!isPassing(error) || error.kind === 'unreachable') throw error;
      const place = await this.watch.find(job.remoteId, signal).catch(() => undefined);
      if (place?.state === 'absent') throw toBackendError(this.backend, error, false);
      return job.remoteId;
    }
    const answer = posted.safeParse(reply).data;
    // It runs what is left of the workflow then, and that is not what was asked for.
    if (Object.keys(answer?.node_errors ?? {}).length > 0) throw await this.#refused(reply, graph, signal);
    return answer?.prompt_id ?? job.remoteId;
  }

  async #refused(reply: unknown, graph: Graph, signal: AbortSignal): Promise<BackendError> {
    const words = await describeRefusal(reply, graph, this.#suggest(signal));
    return new BackendError(`refused the workflow: ${words}`, { backend: this.backend, fault: 'request' });
  }

  #suggest(signal: AbortSignal): Suggest {
    return async (classType, input, asked) => {
      const names =
        input === undefined ? this.lists.names(signal) : this.lists.choices(classType, input, signal);
      return near(asked, (await names.catch(() => undefined)) ?? []); // the message does without them
    };
  }
}

/** The server keeps it with the prompt, in queue, history and on its pages: whose image this is. */
export function extraData({ attempt }: GenerateJob) {
  return { reroll: { ...attempt } };
}

function bodyOf({ body = '' }: NetError): unknown {
  try {
    return parseJson(body);
  } catch {
    return body;
  }
}
