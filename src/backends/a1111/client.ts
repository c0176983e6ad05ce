import { readFile } from 'node:fs/promises';
import { BackendError, systemCode, type Fault } from '../../errors.js';
import type { ImageRequest, Json, Repair } from '../../loop/index.js';
import { HttpClient, NetError, withDeadline } from '../../net/index.js';
import type { Backend, Generated, GenerateJob, Lack, ServerInfo } from '../port.js';
import { checkMended, checkSubstitution, findCheckpoint } from './checks.js';
import { identify, optional, withVersion, type Family } from './family.js';
import { otherKind, toBackendError } from './faults.js';
import { findMissing, findMissingDetector, findVae, Lists } from './lists.js';
import { toCall, withoutPictures, type Body, type Call, type Parts } from './mapping.js';
import { readReply, sizeOf, type Picture } from './reply.js';
import { loaded, options as optionsSchema, type ServerOptions } from './schema.js';
import { Work, type Patience } from './work.js';

export interface A1111Options extends Partial<Patience> {
  kind: 'a1111';
  name: string;
  /** `http://HOST:7860`. */
  url: string;
  /** `user:password` of --api-auth, or `Bearer ...`. */
  auth?: string;
}

const probeMs = 20_000;
/** Base64 makes a third more of an image: room for one of about 90 MiB. */
const maxReplyBytes = 128 * 1024 * 1024;

/** What is known of a server since it was last probed. */
interface Server {
  family: Family;
  options: ServerOptions;
}

/** AUTOMATIC1111 and its family: Forge, reForge, SD.Next. */
export class A1111Backend implements Backend {
  readonly kind = 'a1111';
  readonly name: string;
  readonly #http: HttpClient;
  readonly #lists: Lists;
  readonly #work: Work;
  #server: Server | undefined;
  /** Settings that our requests changed on the server, as they were before the first of them. */
  readonly #putBack: Body = {};

  constructor({ name, url, auth, pollMs = 1_000, stallMs = 600_000 }: A1111Options) {
    this.name = name;
    this.#http = new HttpClient(url, auth);
    this.#lists = new Lists(this.#http);
    this.#work = new Work(name, this.#http, { pollMs, stallMs });
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

  async missing(request: ImageRequest, signal: AbortSignal, repair?: Repair): Promise<Lack[]> {
    const { family } = await this.#known(signal);
    return this.#asked(signal, async () => [
      ...(await findMissing(request, family, this.#lists, signal)),
      ...(repair?.with === 'adetailer' ? await findMissingDetector(repair, this.#lists, signal) : []),
    ]);
  }

  async generate(job: GenerateJob, signal: AbortSignal): Promise<Generated> {
    const { family } = await this.#known(signal);
    const call = await this.#asked(signal, () => this.#callFor(job, family, signal));
    // An old reply is lost with the connection that waited for it: all there is to do is not to work twice at once.
    if (job.adopt) await this.cancel(job.remoteId, signal);

    const { image, info: used } = await this.#made(call, job, family, signal);
    const server = await this.#known(signal);
    server.family = withVersion(server.family, used.version);
    return {
      image,
      seed: used.all_seeds?.[0] ?? used.seed ?? job.request.seed,
      sent: { path: call.path, body: withoutPictures(call.body) },
      server: {
        ...info(server),
        ...(used.sd_model_name !== undefined && { checkpoint: used.sd_model_name }),
      },
      adopted: false,
    };
  }

  async cancel(remoteId: string, signal: AbortSignal): Promise<void> {
    const { family } = await this.#known(signal);
    await this.#asked(signal, () => this.#work.settle(remoteId, family, signal));
  }

  async close(): Promise<void> {
    this.#http.close();
  }

  /** The request as a call, with its pictures read. */
  async #callFor(job: GenerateJob, family: Family, signal: AbortSignal): Promise<Call> {
    const { request, remoteId } = job;
    const parts: Parts = { remoteId, putBack: this.#putBack };
    if (job.repair) {
      const { repair, candidate } = job.repair;
      if (repair.with !== 'adetailer')
        throw this.#error('cannot run a ComfyUI workflow to mend an image.', 'request');
      const size = await sizeOf(candidate);
      Object.assign(parts, { repair, initImage: candidate.toString('base64') }, size && { size });
    } else {
      if (request.init_image !== undefined) parts.initImage = await this.#read(request.init_image);
      if (request.mask !== undefined) parts.mask = await this.#read(request.mask);
    }
    Object.assign(parts, await this.#ownNames(request, family, signal));
    return toCall(request, parts, family);
  }

  /** What the server itself calls the request's checkpoint and VAE, where it lists them. */
  async #ownNames({ checkpoint, vae }: ImageRequest, family: Family, signal: AbortSignal) {
    const title =
      checkpoint === undefined
        ? undefined
        : findCheckpoint(checkpoint, (await this.#lists.checkpoints(signal)) ?? [])?.title;
    const found =
      vae === undefined ? undefined : findVae(vae, (await this.#lists.vaes(family, signal)) ?? []);
    const name = family.vae.setting === 'sd_vae' ? found?.model_name : found?.filename;
    return { ...(title !== undefined && { checkpoint: title }), ...(name !== undefined && { vae: name }) };
  }

  async #read(path: string): Promise<string> {
    return readFile(path, 'base64').catch((error: unknown) => {
      throw this.#error(
        `the picture ${path} cannot be read (${systemCode(error) ?? String(error)}).`,
        'request',
      );
    });
  }

  /** Sends the call and waits for the picture, for as long as there is progress. */
  async #made(call: Call, job: GenerateJob, family: Family, signal: AbortSignal): Promise<Picture> {
    signal.throwIfAborted();
    this.#rememberSettings(call.body, family);
    const control = new AbortController();
    const onAbort = () => control.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    let working = true as boolean;
    this.#work.begin(job.remoteId);
    try {
      const reply = await Promise.race([
        this.#http
          .postJson(call.path, call.body, {
            signal: control.signal,
            timeoutMs: Infinity,
            maxBytes: maxReplyBytes,
          })
          .finally(() => (working = false)),
        this.#work.watch(job.remoteId, family, job.onProgress, control.signal),
      ]);
      const picture = await readReply(this.name, reply).catch(async (error: unknown) => {
        await this.#checkLoaded(family, control.signal);
        throw error;
      });
      await this.#check(job, call.body, picture, control.signal);
      return picture;
    } catch (thrown) {
      const lost = working || (thrown instanceof NetError && thrown.kind === 'broken');
      control.abort(); // a connection that is left open would hold one of the server's few threads
      const ended = !(lost || signal.aborted) || (await this.#letGo(job.remoteId, family));
      signal.throwIfAborted();
      const error = await this.#explained(thrown, signal, call.body);
      if (ended || !(error instanceof BackendError)) throw error;
      throw this.#error(`${plain(error)} It may still be working on it.`, error.fault);
    } finally {
      control.abort();
      signal.removeEventListener('abort', onAbort);
      this.#work.end(job.remoteId);
    }
  }

  async #checkLoaded(family: Family, signal: AbortSignal): Promise<void> {
    if (family.loaded === undefined) return;
    const said = loaded.safeParse(await optional(this.#http.getJson(family.loaded, { signal }))).data;
    if (said?.type === null) {
      throw this.#error(
        'has no checkpoint loaded: choose one in its settings, and look at its log.',
        'backend',
      );
    }
  }

  async #check(job: GenerateJob, body: Body, picture: Picture, signal: AbortSignal): Promise<void> {
    const { job_timestamp: timestamp } = picture.info;
    // A look that fails proves nothing; the picture is there.
    if (await this.#work.wasInterrupted(job.remoteId, timestamp, signal).catch(() => false)) {
      throw this.#error('was interrupted: the image is half done.', 'transient');
    }
    const [samplers, schedulers, checkpoints] = await Promise.all([
      this.#lists.samplers(signal).catch(() => undefined),
      this.#lists.schedulers(signal).catch(() => undefined),
      this.#lists.checkpoints(signal).catch(() => undefined),
    ]);
    if (job.repair) checkMended(this.name, picture.info);
    // ADetailer alone leaves the reply with the pass that it skipped: Euler, one step, 128x128.
    const asked = job.repair ? { ...body, sampler_name: null } : body;
    checkSubstitution(this.name, asked, picture, { samplers, schedulers, checkpoints });
  }

  /** Settings stay as a request left them; a later request that does not name one must find the old value. */
  #rememberSettings(body: Body, family: Family): void {
    const settings = body['override_settings'];
    const before: Record<string, unknown> = { ...family.unsaid, ...this.#server?.options };
    for (const key of Object.keys(settings as Body)) {
      const value = before[key];
      if (!(key in this.#putBack) && value !== undefined) this.#putBack[key] = value as Json;
    }
  }

  /**
   * Stops work that nobody waits for any more. These servers go on with it when the connection is
   * gone, and a request sent again would wait behind it. False where it may be going on.
   */
  async #letGo(remoteId: string, family: Family): Promise<boolean> {
    const signal = new AbortController().signal; // the user's may have ended; this wait is bounded by itself
    return this.#work.settle(remoteId, family, signal).catch((error: unknown) => {
      return error instanceof NetError && error.kind === 'unreachable'; // its process has ended, and its work
    });
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
      throw await this.#explained(thrown, signal);
    }
  }

  async #explained(thrown: unknown, signal: AbortSignal, body?: Body): Promise<unknown> {
    const error = toBackendError(this.name, thrown, body);
    const isGone = thrown instanceof NetError && thrown.status === 404;
    const other = isGone && error instanceof BackendError && error.fault === 'backend';
    const kind = other && !signal.aborted ? await otherKind(this.#http, signal) : undefined;
    return kind === undefined ? error : this.#error(kind, 'backend');
  }

  #error(message: string, fault: Fault): BackendError {
    return new BackendError(message, { backend: this.name, fault });
  }
}

/** The message without the backend's name, which the next error puts before it again. */
function plain(error: BackendError): string {
  return error.message.slice(error.backend.length + 2);
}

function info({ family, options }: Server): ServerInfo {
  return {
    product: family.product,
    ...(family.version !== undefined && { version: family.version }),
    ...(options.sd_model_checkpoint !== undefined && { checkpoint: options.sd_model_checkpoint }),
  };
}
