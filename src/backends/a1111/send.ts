import { BackendError, type Fault } from '../../errors.js';
import { NetError, type HttpClient } from '../../net/index.js';
import type { GenerateJob } from '../port.js';
import { checkRepaired, checkSubstitution } from './checks.js';
import type { Family } from './family.js';
import { explain, isFromProxy } from './faults.js';
import type { Lists } from './lists.js';
import type { Body, Call } from './mapping.js';
import { readReply, type Picture } from './reply.js';
import { loaded } from './schema.js';
import { checkWhose } from './whose.js';
import type { Work } from './work.js';

/** Base64 makes a third more of an image: room for one of about 90 MiB. */
const maxReplyBytes = 128 * 1024 * 1024;

/** Sends calls and waits for their pictures; work whose reply is lost is not left behind on the server. */
export class Sender {
  readonly #name: string;
  readonly #http: HttpClient;
  readonly #lists: Lists;
  readonly #work: Work;

  constructor(name: string, http: HttpClient, lists: Lists, work: Work) {
    this.#name = name;
    this.#http = http;
    this.#lists = lists;
    this.#work = work;
  }

  /** The picture that the server made of the call, as it was asked for. Waits for as long as there is progress. */
  async send(call: Call, job: GenerateJob, family: Family, signal: AbortSignal): Promise<Picture> {
    signal.throwIfAborted();
    const control = new AbortController();
    const onAbort = () => control.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    let waiting = true as boolean;
    this.#work.begin(job.remoteId);
    try {
      const options = { signal: control.signal, timeoutMs: Infinity, maxBytes: maxReplyBytes };
      const reply = await Promise.race([
        this.#http.postJson(call.path, call.body, options).finally(() => (waiting = false)),
        this.#work.watch(job.remoteId, family, job.onProgress, control.signal),
      ]);
      const picture = await readReply(this.#name, reply).catch(async (error: unknown) => {
        await this.#checkLoaded(family, control.signal);
        throw error;
      });
      await this.#check(job, call.body, picture, family, control.signal);
      return picture;
    } catch (thrown) {
      const isLost =
        waiting || (thrown instanceof NetError && thrown.kind === 'broken') || isFromProxy(thrown);
      control.abort(); // a connection that is left open would hold one of the server's few threads
      const isOver = !(isLost || signal.aborted) || (await this.#cancel(job.remoteId, family, signal));
      signal.throwIfAborted();
      const error = await explain(this.#name, this.#http, thrown, signal, call.body);
      if (isOver || !(error instanceof BackendError)) throw error;
      throw new BackendError(`${error.words} It may still be working on it.`, {
        backend: this.#name,
        fault: error.fault,
        mayHoldWork: true,
      });
    } finally {
      control.abort();
      signal.removeEventListener('abort', onAbort);
      this.#work.end(job.remoteId);
    }
  }

  /**
   * Stops work whose reply is lost. These servers go on with it when the connection is gone, and a request sent
   * again would wait behind it. False where it may be going on. Once the user has ended (`user`) it hurries.
   */
  async #cancel(remoteId: string, family: Family, user: AbortSignal): Promise<boolean> {
    const { signal } = new AbortController(); // the user's may have ended; this wait is bounded by itself
    return this.#work
      .cancel(remoteId, family, signal, () => !user.aborted)
      .catch((error: unknown) => {
        // Its process has ended, and its work.
        return (error instanceof NetError && error.kind === 'unreachable') || isFromProxy(error);
      });
  }

  async #checkLoaded({ loaded: page }: Family, signal: AbortSignal): Promise<void> {
    if (page === undefined) return;
    const reply = await this.#http.getJson(page, { signal }).catch(() => undefined);
    if (loaded.safeParse(reply).data?.type === null) {
      throw this.#error(
        'has no checkpoint loaded: choose one in its settings, and look at its log.',
        'backend',
      );
    }
  }

  async #check(
    job: GenerateJob,
    body: Body,
    picture: Picture,
    family: Family,
    signal: AbortSignal,
  ): Promise<void> {
    const { job_timestamp: timestamp } = picture.info;
    // A look that fails proves nothing; the picture is there.
    if (await this.#work.wasInterrupted(job.remoteId, timestamp, signal).catch(() => false)) {
      throw this.#error('was interrupted: the image is half done.', 'transient');
    }
    const [samplers, schedulers, checkpoints] = await Promise.all([
      this.#lists.samplers(signal).catch(() => undefined),
      this.#lists.schedulers(family, signal).catch(() => undefined),
      this.#lists.checkpoints(signal).catch(() => undefined),
    ]);
    checkWhose(this.#name, body, picture);
    if (job.repair) checkRepaired(this.#name, picture.info);
    // ADetailer alone leaves the reply with the pass that it skipped: Euler, one step, 128x128.
    const asked = job.repair ? { ...body, sampler_name: null } : body;
    checkSubstitution(this.#name, asked, picture, { samplers, schedulers, checkpoints });
  }

  #error(message: string, fault: Fault): BackendError {
    return new BackendError(message, { backend: this.#name, fault });
  }
}
