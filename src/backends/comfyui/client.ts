import { readFile as readFromDisk } from 'node:fs/promises';
import { BackendError, type Fault } from '../../errors.js';
import type { ImageRequest, Json, Repair } from '../../loop/index.js';
import { HttpClient, NetError, withDeadline } from '../../net/index.js';
import type { Backend, Generated, GenerateJob, Lack, ReadFile, Sent, ServerInfo } from '../port.js';
import { withoutLarge } from '../sent.js';
import { leftOut } from '../settings.js';
import { describeBindings, warningsOf } from './bindings.js';
import { cancelPrompt } from './cancel.js';
import { defaultWorkflow } from './default-workflow.js';
import { Drafts } from './drafts.js';
import { Events } from './events.js';
import { failureOf, toBackendError, wasInterrupted } from './faults.js';
import { valueAt, type Graph } from './graph.js';
import { Hints } from './hints.js';
import { identify, otherKind } from './identify.js';
import { findMissing, Lists } from './lists.js';
import { ownSettings, sentOf } from './own.js';
import { uploadedInputs } from './pictures.js';
import { extraData, Posts } from './post.js';
import { fetchFile, resultFiles } from './results.js';
import type { HistoryEntry } from './schema.js';
import { isAtLeast } from './version.js';
import { Watch, type Patience } from './watch.js';
import { checkEntry, checkPicture } from './whose.js';
import { readWorkflow, type Workflow, type WorkflowFile } from './workflow.js';

export interface ComfyUIOptions extends Partial<Patience> {
  kind: 'comfyui';
  name: string;
  /** `http://HOST:8188`. */
  url: string;
  /** `user:password` or `Bearer ...`, for a proxy before the server: ComfyUI itself has no passwords. */
  auth?: string;
  /** What ComfyUI's File > Export (API) saved. Left out: a built-in text-to-image graph of core nodes. */
  workflow?: WorkflowFile;
  /** Setting -> input of a node (`"3.inputs.seed"`), before what is found in the workflow by itself. */
  bindings?: { [setting: string]: string };
  /** Of an account at comfy.org, for nodes that call its API. */
  apiKey?: string;
  /** Whether images stay in the server's output folder. Default true. */
  keepImages?: boolean;
  /** Reads the pictures and the workflows of repairs. Default: from the disk, as they are now. */
  readFile?: ReadFile;
}

const probeMs = 20_000;
/** For stopping work that nobody waits for any more. */
const letGoMs = 10_000;

/** ComfyUI: a workflow, filled in and posted as a prompt. */
export class ComfyUIBackend implements Backend {
  readonly kind = 'comfyui';
  readonly name: string;
  readonly notes: readonly string[];
  readonly #workflow: Workflow;
  readonly #http: HttpClient;
  readonly #events: Events;
  readonly #lists: Lists;
  readonly #watch: Watch;
  readonly #drafts: Drafts;
  readonly #posts: Posts;
  #info: ServerInfo | undefined;
  /** Ids that the server gave (older than 0.3.45) in the place of ours. */
  readonly #renamed = new Map<string, string>();

  /** ConfigError where the workflow or a binding is unusable. */
  constructor(options: ComfyUIOptions) {
    const {
      name,
      url,
      auth,
      workflow = defaultWorkflow,
      bindings,
      keepImages = true,
      apiKey,
      readFile = readFromDisk,
      pollMs = 1_000,
      stallMs = 600_000,
    } = options;
    this.name = name;
    this.#workflow = readWorkflow(workflow, bindings, keepImages);
    this.notes = describeBindings(this.#workflow);
    this.#http = new HttpClient(url, auth);
    this.#events = new Events({ url, ...(auth !== undefined && { auth }) });
    this.#lists = new Lists(this.#http);
    this.#watch = new Watch(name, this.#http, { pollMs, stallMs }, (id) => this.#events.isOurs(id));
    this.#drafts = new Drafts(name, this.#http, this.#lists, this.#workflow, keepImages, readFile);
    this.#posts = new Posts(name, this.#http, this.#lists, this.#watch, apiKey);
  }

  async probe(signal: AbortSignal): Promise<ServerInfo> {
    const onTimeout = () => this.#error(`did not say what it is within ${probeMs / 1000} s.`, 'transient');
    return this.#asked(signal, () =>
      withDeadline(signal, probeMs, onTimeout, async (bounded) => {
        this.#info = await identify(this.name, this.#http, bounded);
        this.#lists.forget();
        return this.#info;
      }),
    );
  }

  warnings(settings: readonly string[]): string[] {
    return warningsOf(this.#workflow, settings);
  }

  settings(request: ImageRequest): Sent[] {
    return sentOf(request, this.#workflow);
  }

  async missing(request: ImageRequest, signal: AbortSignal, repair?: Repair): Promise<Lack[]> {
    const workflow = await this.#drafts.workflowOf(repair);
    const parts = { filenamePrefix: 'reroll', repairs: repair !== undefined };
    const given = uploadedInputs(request, workflow, repair !== undefined);
    return this.#asked(signal, async () => {
      const { graph, lacks } = await this.#drafts.fill(request, workflow, parts, signal);
      return [
        ...lacks,
        ...(await findMissing(
          graph,
          this.#lists,
          { given, hasKey: this.#posts.apiKey !== undefined },
          signal,
        )),
      ];
    });
  }

  async generate(job: GenerateJob, signal: AbortSignal): Promise<Generated> {
    signal.throwIfAborted();
    const workflow = await this.#drafts.workflowOf(job.repair?.repair);
    try {
      return await this.#generate(job, workflow, signal);
    } catch (thrown) {
      const error = await this.#explained(thrown, signal);
      // Nobody waits for it any more. What may still be there keeps its id, and is adopted later.
      const isHeld = error instanceof BackendError && error.mayHoldWork;
      if (!isHeld) await this.#letGo(job.remoteId);
      signal.throwIfAborted();
      throw error;
    } finally {
      this.#renamed.delete(job.remoteId);
    }
  }

  async cancel(remoteId: string, signal: AbortSignal): Promise<void> {
    const id = this.#renamed.get(remoteId) ?? remoteId;
    await this.#asked(signal, async () => {
      const { version } = this.#info ?? (await identify(this.name, this.#http, signal));
      await cancelPrompt(id, version, this.#http, this.#watch, signal);
    });
  }

  async close(): Promise<void> {
    await this.#events.close();
    this.#http.close();
  }

  async #generate(job: GenerateJob, workflow: Workflow, signal: AbortSignal): Promise<Generated> {
    const info = this.#info ?? (await this.probe(signal));
    const place = job.adopt ? await this.#watch.find(job.remoteId, signal) : undefined;
    const done = place?.state === 'finished' ? place.entry : undefined;
    // One that was stopped while we were away, or by us as we left, is no failure now: it is sent again.
    const adopted = place !== undefined && place.state !== 'absent' && !(done && wasInterrupted(done));
    const graph = await this.#drafts.graphOf(job, workflow, signal);
    const hints = new Hints(workflow.samplers, job.onProgress);
    const entry = adopted && done ? done : await this.#made(job, graph, adopted, hints, signal);
    checkEntry(this.name, entry, this.#renamed.get(job.remoteId) ?? job.remoteId, job.attempt);
    const failure = failureOf(this.name, entry);
    if (failure) throw failure;
    const checkpoint = valueOf(graph, workflow, 'checkpoint');
    const image = await this.#image(entry, workflow, signal);
    await checkPicture(this.name, image, graph, workflow);
    return {
      image,
      seed: Number(valueOf(graph, workflow, 'seed')),
      sent: { path: '/prompt', body: withoutLarge({ prompt: graph, extra_data: extraData(job) }) },
      settings: leftOut(job.request, ownSettings(graph, workflow)),
      server: { ...info, ...(typeof checkpoint === 'string' && { checkpoint }) },
      adopted,
    };
  }

  /** Posts the prompt, unless the server has it already, and waits for its end. */
  async #made(
    job: GenerateJob,
    graph: Graph,
    adopted: boolean,
    hints: Hints,
    signal: AbortSignal,
  ): Promise<HistoryEntry> {
    let id = job.remoteId;
    let deafen = hints.listen(this.#events, id);
    try {
      if (!adopted) {
        id = await this.#posts.post(job, graph, this.#events.clientId, signal);
        if (id !== job.remoteId) {
          // Older ones name prompts themselves.
          if (isAtLeast(this.#info?.version, [0, 3, 45])) {
            throw this.#error(
              `took the prompt under the id ${id}, which is not the one that it was sent with. Look for a cache or a proxy before it.`,
              'transient',
            );
          }
          this.#renamed.set(job.remoteId, id);
          deafen();
          deafen = hints.listen(this.#events, id);
        }
      }
      return await this.#watch.finished(id, hints, signal);
    } finally {
      deafen();
    }
  }

  async #image(entry: HistoryEntry, workflow: Workflow, signal: AbortSignal): Promise<Buffer> {
    const saver = workflow.output;
    const [found, ...more] = resultFiles(entry, saver, workflow.folder);
    if (more.length > 0) {
      throw this.#error(
        `made ${more.length + 1} images for one shot with ${workflow.path}, which takes one: see what makes a batch there, and say with 'count' how many.`,
        'request',
      );
    }
    if (found !== undefined) return fetchFile(this.name, this.#http, found, signal);
    if (saver !== undefined) throw this.#error('finished the prompt without an image.', 'transient');
    throw this.#error(`${workflow.path} saves no image: add a SaveImage node to it.`, 'request');
  }

  /** Stops work that nobody waits for any more: it would keep the server from what somebody waits for. */
  async #letGo(remoteId: string): Promise<void> {
    const signal = new AbortController().signal; // the user's may have ended; this wait is bounded by itself
    const onTimeout = () => this.#error('did not stop in time.', 'transient');
    await withDeadline(signal, letGoMs, onTimeout, (bounded) => this.cancel(remoteId, bounded)).catch(
      (error: unknown) => {
        if (!(error instanceof BackendError)) throw error;
      },
    );
  }

  async #asked<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (thrown) {
      throw await this.#explained(thrown, signal);
    }
  }

  async #explained(thrown: unknown, signal: AbortSignal): Promise<unknown> {
    const error = toBackendError(this.name, thrown);
    const noSuchPath = thrown instanceof NetError && (thrown.status === 404 || thrown.status === 405);
    const kind = noSuchPath && !signal.aborted ? await otherKind(this.#http, signal) : undefined;
    return kind === undefined ? error : this.#error(kind, 'backend');
  }

  #error(message: string, fault: Fault): BackendError {
    return new BackendError(message, { backend: this.name, fault });
  }
}

function valueOf(graph: Graph, { bindings }: Workflow, setting: 'checkpoint' | 'seed'): Json | undefined {
  const target = bindings[setting]?.[0];
  return target && valueAt(graph, target);
}
