import { randomUUID } from 'node:crypto';
import { BackendError, GoneError, ImageError, RestingError, type StorageError } from '../src/errors.js';
import { describeLacks, type Backend, type Generated, type ServerInfo } from '../src/backends/index.js';
import type { Candidates, Pictures } from '../src/images/index.js';
import { inspectImage, samePixels, withoutPictures } from '../src/images/index.js';
import type { Attempt, AttemptKey, Candidate, Ledger } from '../src/ledger/index.js';
import type { Json } from '../src/loop/index.js';
import type { Environment } from '../src/pipeline/index.js';
import { RetryLater } from '../src/queue/index.js';
import { discreet } from './discreet.js';
import { readCandidate } from './read-candidate.js';

/** A backend as the generate worker sees it: its slots are counted and its breaker watches every call. */
export interface GuardedBackend {
  readonly name: string;
  readonly well: boolean;
  /** What the server last said of itself; its loaded checkpoint decides what it is given next. */
  info: ServerInfo | undefined;
  /**
   * Waits for a slot; whether the work fails counts, for the server and for the attempt that it is named for.
   * RestingError, and nothing is sent, while the server rests. `work` resolves undefined where no image was due.
   */
  call<T>(attempt: string, work: (backend: Backend) => Promise<T>, signal: AbortSignal): Promise<T>;
  /** The ledger, its moves guarded by the lease under which the server is served. */
  readonly ledger: Ledger;
  /** An attempt is given up: asked for again some day, it is tried anew. */
  forget(attempt: string): void;
}

export interface GenerateDependencies {
  ledger: Ledger;
  candidates: Candidates;
  /** Where those lie, if several places share the ledger. */
  store?: string;
  /** What came lately, from any server. */
  pictures: Pictures;
  /**
   * The backends of this process that may serve an attempt, the given one first, those that are down last; and whether
   * another process has more.
   */
  backendsFor(attempt: Attempt, first: GuardedBackend): { here: GuardedBackend[]; elsewhere: boolean };
  /** False where nothing new may be sent: the run is paused, or this process leaves. */
  isTaking(): boolean;
  addClassify(key: AttemptKey): Promise<void>;
  /** What the pipeline's texts take from the environment: put in when a server is asked. */
  environment: Environment;
  onEvent: {
    generating(key: AttemptKey, backend: string, prompt: string): void;
    progress(key: AttemptKey, backend: string, share: number): void;
    generated(key: AttemptKey, backend: string, seconds: number): void;
    serverError(key: AttemptKey, backend: string, message: string): void;
    /** This server can never do it; others are asked. */
    refused(key: AttemptKey, backend: string, message: string): void;
    /** The repair cannot be done, and a new image is made instead. */
    repairDropped(key: AttemptKey, reason: string): void;
    /** The image to repair cannot be read now. */
    unreadable(key: AttemptKey, error: StorageError): void;
    /** An attempt waits in another lane now. */
    due(key: AttemptKey): void;
    failed(key: AttemptKey, reason: string): void;
  };
  /** Milliseconds to wait before the next try after so many server errors. */
  backoffMs(serverErrors: number): number;
}

/** Milliseconds before an attempt is looked at again where the only server that may do it rests. */
const restMs = 10_000;

/** How soon another process looks at an attempt that no server of this one can make. */
const elsewhereMs = 1_000;

/**
 * One attempt, taken from the queue of `lane`: ask a backend, check and store the candidate, record it, hand it on.
 * Repeating it is harmless. Throws RetryLater where a server failed: that costs no attempt.
 */
export async function generate(
  dependencies: GenerateDependencies,
  key: AttemptKey,
  { backend, lane }: { backend: GuardedBackend; lane: string },
  signal: AbortSignal,
): Promise<void> {
  // It is queued again when the run goes on.
  if (!dependencies.isTaking()) return;
  const attempt = await dependencies.ledger.attempt(key);
  if (attempt?.state === 'generated') return dependencies.addClassify(key);
  // In another lane it has a job of its own.
  if (attempt?.state !== 'due' || attempt.lane !== lane) return;

  const refusals: string[] = [];
  const { here, elsewhere } = dependencies.backendsFor(attempt, backend);
  const servers = order(here, attempt);
  for (const server of servers) {
    try {
      await generateOn(dependencies, attempt, server, signal);
      return;
    } catch (error) {
      if (error instanceof GoneError)
        return giveUp(server.ledger, dependencies, key, `the image to repair is lost: ${error.message}.`);
      // Another may take it at once.
      if (error instanceof RestingError) throw new RetryLater(refusals.length > 0 ? restMs : 0);
      if (!(error instanceof BackendError)) throw error;
      if (error.fault !== 'request') {
        dependencies.onEvent.serverError(key, server.name, error.message);
        return postpone(server.ledger, dependencies, key, error);
      }
      dependencies.onEvent.refused(key, server.name, error.message);
      // This server will never do it: another may have the checkpoint or the node that it lacks.
      refusals.push(error.message.replace(/\.$/, ''));
    }
  }
  if (elsewhere) throw new RetryLater(elsewhereMs);
  for (const server of servers) server.forget(nameOf(attempt));
  await giveUp(backend.ledger, dependencies, key, refusals.join('; '));
}

/** A new image in the place of a repair that failed is another work. */
function nameOf({ run, shot, number, repair }: Attempt): string {
  return `${run}.${shot}.${number}${repair ? ' repair' : ''}`;
}

/** A server that may still hold the attempt's image from before a crash comes first, if it is well. */
function order(backends: GuardedBackend[], attempt: Attempt): GuardedBackend[] {
  const owner = attempt.remoteId && backends.find(({ name, well }) => well && name === attempt.backend);
  return owner ? [owner, ...backends.filter((backend) => backend !== owner)] : backends;
}

async function generateOn(
  dependencies: GenerateDependencies,
  attempt: Attempt,
  server: GuardedBackend,
  signal: AbortSignal,
): Promise<void> {
  const key = { run: attempt.run, shot: attempt.shot, number: attempt.number };
  const adopted = attempt.backend === server.name ? attempt.remoteId : undefined;
  const remoteId = adopted ?? randomUUID();
  const repair = attempt.repair && {
    repair: attempt.repair,
    candidate: await readPrevious(dependencies, attempt),
  };
  const work = async (held: Backend) => {
    const backend = discreet(held, dependencies.environment);
    // It may have waited long for the slot.
    if (!dependencies.isTaking()) throw new RetryLater(0);
    const lacks = await backend.missing(attempt.request, signal, attempt.repair);
    if (lacks.length > 0) {
      throw new BackendError(`has ${describeLacks(lacks)}.`, {
        backend: server.name,
        fault: 'request',
      });
    }
    if (!(await server.ledger.recordSending(key, server.name, remoteId))) return undefined;
    dependencies.onEvent.generating(key, server.name, attempt.request.prompt);
    const startedAt = performance.now();
    const generated = await backend.generate(
      {
        request: attempt.request,
        remoteId,
        adopt: adopted !== undefined,
        attempt: key,
        ...(repair && { repair }),
        onProgress: ({ share }) => dependencies.onEvent.progress(key, server.name, share),
      },
      signal,
    );
    const seconds = (performance.now() - startedAt) / 1000;
    server.info = generated.server;
    // Inside the call, so that a server that answers with broken pictures trips its breaker.
    const { pixels, candidate } = await inspect(server.name, generated, seconds, repair?.candidate);
    // A repair may find nothing to do.
    if (!repair) checkTwin(dependencies.pictures, attempt, server.name, pixels, candidate.seed);
    return { generated, candidate };
  };
  const made = await server.call(nameOf(attempt), work, signal);
  if (!made) return;

  const { generated, candidate } = made;
  const { store } = dependencies;
  const stored = await dependencies.candidates.put(
    `${key.run}/${key.shot}-${key.number}.${candidate.format}`,
    withoutPictures(generated.image),
  );
  if (
    !(await server.ledger.recordCandidate(key, {
      ...candidate,
      ...stored,
      ...(store !== undefined && { store }),
    }))
  )
    return;
  dependencies.onEvent.generated(key, server.name, candidate.seconds);
  await dependencies.addClassify(key);
}

async function inspect(
  backend: string,
  generated: Generated,
  seconds: number,
  repaired?: Buffer,
): Promise<{ pixels: string; candidate: Omit<Candidate, 'file' | 'sha256'> }> {
  try {
    const { pixels, ...image } = await inspectImage(generated.image);
    const unchanged = repaired !== undefined && (await samePixels(repaired, generated.image));
    const { seed, sent, settings, server } = generated;
    const candidate = {
      ...image,
      ...(unchanged && { unchanged }),
      seed,
      sent: sent as Json,
      ...(Object.keys(settings).length > 0 && { settings }),
      server: { ...server },
      seconds,
    };
    return { pixels, candidate };
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new BackendError(`sent an unusable image: ${error.message}`, {
      backend,
      fault: 'transient',
      cause: error,
    });
  }
}

/**
 * A server that is stuck, or a cache before it, sends the same picture whatever it is asked for. An image to start from
 * may come back as it is for any seed: its denoising may be too weak to change a pixel.
 */
function checkTwin(
  pictures: Pictures,
  { request }: Attempt,
  backend: string,
  pixels: string,
  seed: number,
): void {
  if (request.init_image !== undefined) return;
  const twin = pictures.seedOfTwin(pixels, seed);
  if (twin === undefined) return;
  throw new BackendError(
    `sent the very picture of seed ${twin} again for seed ${seed}: it is stuck, or a cache before it answers. Restart it.`,
    { backend, fault: 'transient' },
  );
}

/** The candidate that a repair repairs: the one of the attempt before. */
async function readPrevious(dependencies: GenerateDependencies, attempt: Attempt): Promise<Buffer> {
  const before = await dependencies.ledger.attempt({ ...attempt, number: attempt.number - 1 });
  if (!before?.candidate) throw new Error(`attempt ${attempt.number} repairs an attempt without a candidate`);
  return readCandidate(dependencies, attempt, before.candidate.file);
}

/** The server could not, and no attempt is used up: later again, as often as it takes. */
async function postpone(
  ledger: Ledger,
  { backoffMs }: Pick<GenerateDependencies, 'backoffMs'>,
  key: AttemptKey,
  error: BackendError,
): Promise<never> {
  const isDown = error.unreachable || error.fault === 'backend';
  // A server that is down says nothing about the attempt.
  const { message, mayHoldWork } = error;
  const errors = await ledger.recordServerError(key, message, mayHoldWork, !isDown);
  throw new RetryLater(backoffMs(errors));
}

/** It will never be done. A repair gives way to a new image, which may be; anything else fails the shot. */
export async function giveUp(
  ledger: Ledger,
  { onEvent }: { onEvent: Pick<GenerateDependencies['onEvent'], 'repairDropped' | 'due' | 'failed'> },
  key: AttemptKey,
  reason: string,
): Promise<void> {
  if (await ledger.dropRepair(key)) {
    onEvent.repairDropped(key, reason);
    onEvent.due(key);
  } else if (await ledger.failShot(key.run, key.shot, reason)) onEvent.failed(key, reason);
}
