import { readFile as readFromDisk } from 'node:fs/promises';
import { BackendError, type Fault } from '../../errors.js';
import { settle, type ImageRequest, type Repair } from '../../loop/index.js';
import { HttpClient, NetError, withDeadline } from '../../net/index.js';
import type { Backend, Generated, GenerateJob, Lack, ReadFile, Sent, ServerInfo } from '../port.js';
import { withoutLarge } from '../sent.js';
import { leftOut } from '../settings.js';
import { Drafts } from './drafts.js';
import { identify, withVersion, type Server } from './family.js';
import { explain } from './faults.js';
import { Lists } from './lists.js';
import { defaults, sentOf } from './mapping.js';
import { findMissing } from './missing.js';
import { options as optionsSchema, type ServerOptions } from './schema.js';
import { Sender } from './send.js';
import { Work, type Patience } from './work.js';

export interface A1111Options extends Partial<Patience> {
  kind: 'a1111';
  name: string;
  /** `http://HOST:7860`. */
  url: string;
  /** `user:password` of --api-auth, or `Bearer ...`. */
  auth?: string;
  /** Reads the pictures that requests name. Default: from the disk, as they are now. */
  readFile?: ReadFile;
}

const probeMs = 20_000;

/** AUTOMATIC1111 and its family: Forge, reForge, SD.Next. */
export class A1111Backend implements Backend {
  readonly kind = 'a1111';
  readonly name: string;
  readonly #http: HttpClient;
  readonly #lists: Lists;
  readonly #work: Work;
  readonly #drafts: Drafts;
  readonly #sender: Sender;
  #server: Server | undefined;

  constructor({ name, url, auth, readFile = readFromDisk, pollMs = 1_000, stallMs = 600_000 }: A1111Options) {
    this.name = name;
    this.#http = new HttpClient(url, auth);
    this.#lists = new Lists(this.#http);
    this.#work = new Work(name, this.#http, { pollMs, stallMs });
    this.#drafts = new Drafts(name, this.#lists, readFile);
    this.#sender = new Sender(name, this.#http, this.#lists, this.#work);
  }

  async probe(signal: AbortSignal): Promise<ServerInfo> {
    const onTimeout = () => this.#error(`did not say what it is within ${probeMs / 1000} s.`, 'transient');
    return this.#asked(signal, () =>
      withDeadline(signal, probeMs, onTimeout, async (bounded) => {
        const options = await this.#options(bounded);
        const family = withVersion(await identify(this.#http, bounded), this.#server?.family.version);
        this.#lists.forget();
        this.#server = { family, options };
        return info(this.#server);
      }),
    );
  }

  get notes(): string[] {
    if (this.#server === undefined || this.#server.family.taskIds) return [];
    return [
      'It does not say whose image it makes, so what it does for us cannot be stopped. AUTOMATIC1111 and Forge say it unless they are started with --nowebui.',
    ];
  }

  settings(request: ImageRequest): Sent[] {
    return sentOf(request);
  }

  async missing(request: ImageRequest, signal: AbortSignal, repair?: Repair): Promise<Lack[]> {
    const { family } = await this.#known(signal);
    return this.#asked(signal, () => findMissing(request, repair, family, this.#lists, signal));
  }

  async generate(job: GenerateJob, signal: AbortSignal): Promise<Generated> {
    const before = await this.#known(signal);
    // An old reply is lost with the connection that waited for it: all there is to do is not to work twice at once.
    if (job.adopt) await this.cancel(job.remoteId, signal);
    const call = await this.#asked(signal, () => this.#drafts.callOf(job, before, signal));
    const { image, info: used } = await this.#sender.send(call, job, before.family, signal);
    const server = await this.#known(signal);
    server.family = withVersion(server.family, used.version);
    return {
      image,
      seed: used.all_seeds?.[0] ?? used.seed ?? job.request.seed,
      sent: { path: call.path, body: withoutLarge(call.body) },
      settings: leftOut(job.request, settle(job.request, defaults)),
      server: {
        ...info(server),
        ...(used.sd_model_name !== undefined && { checkpoint: used.sd_model_name }),
      },
      adopted: false,
    };
  }

  async cancel(remoteId: string, signal: AbortSignal): Promise<void> {
    const { family } = await this.#known(signal);
    await this.#asked(signal, () => this.#work.cancel(remoteId, family, signal));
  }

  async close(): Promise<void> {
    this.#http.close();
  }

  async #known(signal: AbortSignal): Promise<Server> {
    if (this.#server === undefined) await this.probe(signal);
    if (this.#server === undefined) throw new Error('a probe that passed knows its server');
    return this.#server;
  }

  async #options(signal: AbortSignal): Promise<ServerOptions> {
    const reply = await this.#http.getJson('/sdapi/v1/options', { signal }).catch((error: unknown) => {
      if (error instanceof NetError && error.kind === 'not-json') {
        throw this.#error(`this is no A1111 server: ${error.message}`, 'backend');
      }
      throw error;
    });
    const parsed = optionsSchema.safeParse(reply);
    if (!parsed.success)
      throw this.#error('this is no A1111 server: its options are no JSON object.', 'backend');
    return parsed.data;
  }

  async #asked<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (thrown) {
      throw await explain(this.name, this.#http, thrown, signal);
    }
  }

  #error(message: string, fault: Fault): BackendError {
    return new BackendError(message, { backend: this.name, fault });
  }
}

function info({ family, options }: Server): ServerInfo {
  return {
    product: family.product,
    ...(family.version !== undefined && { version: family.version }),
    ...(options.sd_model_checkpoint !== undefined && { checkpoint: options.sd_model_checkpoint }),
  };
}
