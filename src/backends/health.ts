import { setTimeout as sleep } from 'node:timers/promises';
import { plural } from '../base/plural.js';
import { BackendError, RestingError, toError } from '../errors.js';
import { Blame } from './blame.js';
import type { Backend, ServerInfo } from './port.js';

/**
 * `ailing`: the last request failed. `down`: it does not answer, or refuses us; nothing is sent until a probe passes.
 * `sick`: it answers every probe and fails every image; it rests, and one image at a time tries whether it is well.
 */
export type BackendHealthState = 'well' | 'ailing' | 'down' | 'sick';

export interface HealthOptions {
  /** Called on every change; `reason` is the failure behind it. */
  onChange?: (state: BackendHealthState, reason?: string) => void;
  /** Called when it begins to take requests, or takes no more. */
  onTaking?: () => void;
  /** The pause before the first probe of a server that rests, and the longest one. Default 1 s and 15 s. */
  probeMs?: Pauses;
  /** The pause before an image tries a sick server for the first time, and the longest one. Default 1 s and 5 min. */
  trialMs?: Pauses;
}

/** Milliseconds. Each pause is twice the one before. */
export interface Pauses {
  first: number;
  longest: number;
}

/** A circuit breaker over one backend: what it may be sent now, and whose fault its failures are. */
export interface Health {
  readonly state: BackendHealthState;
  /** The failure behind a state that is not `well`. */
  readonly reason: string;
  /** False while nothing may be sent: it rests, or the image that tries it is under way. */
  readonly isTaking: boolean;
  /**
   * Runs `work` for an attempt and takes note of how it ended; undefined where it came to no image, and none was due.
   * RestingError, and nothing is sent, while it rests. A failure that is the attempt's own, since the server makes
   * others, becomes a BackendError of the fault `request`.
   */
  run<T>(attempt: string, work: () => Promise<T>): Promise<T>;
  /** Forgets whether failures were an attempt's own. */
  forget(attempt: string): void;
  /** Asks the backend now. A pass makes it well, unless it is sick; a BackendError takes it down, and is thrown. */
  probe(signal: AbortSignal): Promise<ServerInfo>;
  /** Somebody else found that it cannot be used: it rests until a probe passes. */
  takeDown(error: BackendError): void;
  close(): Promise<void>;
}

export function watchHealth(backend: Pick<Backend, 'name' | 'probe'>, options: HealthOptions = {}): Health {
  return new Watch(backend, options);
}

/**
 * How long to wait before an attempt is sent again after so many server errors (1 or more):
 * exponential with full jitter, 0.5 to 60 s.
 */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const shortest = 500;
  return shortest + random() * (Math.min(60_000, shortest * 2 ** failures) - shortest);
}

class Watch implements Health {
  readonly #blame = new Blame();
  readonly #probeMs: Pauses;
  readonly #trialMs: Pauses;
  #state: BackendHealthState = 'well';
  #reason = '';
  /** There while it rests. */
  #rest: { stop: AbortController; over: Promise<void> } | undefined;
  /** What may be sent: anything, one image that tries it, nothing. */
  #takes: 'all' | 'one' | 'none' = 'all';
  /** Trials since the last image: a server that passes every probe and fails every image waits ever longer. */
  #trials = 0;
  #onTried: () => void = () => undefined;
  #closed = false;

  readonly #backend: Pick<Backend, 'name' | 'probe'>;
  readonly #options: HealthOptions;

  constructor(backend: Pick<Backend, 'name' | 'probe'>, options: HealthOptions) {
    this.#backend = backend;
    this.#options = options;
    this.#probeMs = options.probeMs ?? { first: 1_000, longest: 15_000 };
    this.#trialMs = options.trialMs ?? { first: 1_000, longest: 300_000 };
  }

  get state(): BackendHealthState {
    return this.#state;
  }

  get reason(): string {
    return this.#reason;
  }

  get isTaking(): boolean {
    return this.#takes !== 'none';
  }

  async run<T>(attempt: string, work: () => Promise<T>): Promise<T> {
    if (this.#blame.isBlamed(attempt)) throw this.#refuse('fails this attempt again and again.');
    if (!this.isTaking) throw new RestingError(`${this.#backend.name} rests: ${this.#reason}`);
    const trial = this.#takes === 'one' ? this.#rest : undefined;
    if (trial) this.#take('none');
    let isTried = false;
    try {
      const result = await work();
      isTried = result !== undefined;
      if (isTried) this.#made(attempt);
      return result;
    } catch (error) {
      // What can never be done is not the server's illness, and an abort is nobody's.
      if (!(error instanceof BackendError) || error.fault === 'request') throw error;
      isTried = true;
      throw this.#failed(attempt, error);
    } finally {
      if (trial && trial === this.#rest) {
        if (isTried) this.#onTried();
        else this.#take('one');
      }
    }
  }

  forget(attempt: string): void {
    this.#blame.forget(attempt);
  }

  async probe(signal: AbortSignal): Promise<ServerInfo> {
    try {
      const info = await this.#backend.probe(signal);
      if (!this.#blame.isSick) this.#recover();
      return info;
    } catch (error) {
      if (error instanceof BackendError) this.#startRest('down', error.message);
      throw error;
    }
  }

  takeDown({ message }: BackendError): void {
    this.#startRest('down', message);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#rest?.stop.abort();
    this.#onTried();
    await this.#rest?.over;
  }

  #made(attempt: string): void {
    this.#blame.made(attempt);
    this.#trials = 0;
    // A request that was under way when it went down says nothing new: a probe decides.
    if (this.#state !== 'down') this.#recover();
  }

  /** Answers what to throw. */
  #failed(attempt: string, error: BackendError): BackendError {
    const { message, fault, unreachable, needsRestart } = error;
    const isDown = unreachable || fault === 'backend';
    // Where nobody answers, nothing was tried.
    const failures = unreachable ? 0 : this.#blame.failed(attempt, fault === 'backend' || needsRestart);
    if (isDown || this.#blame.isSick) this.#startRest(isDown ? 'down' : 'sick', message);
    else this.#move('ailing', message);
    if (!this.#blame.isBlamed(attempt)) return error;
    return this.#refuse(
      `${error.words} It failed this attempt ${plural(failures, 'time')}, and makes others.`,
      error,
    );
  }

  #refuse(message: string, cause?: BackendError): BackendError {
    return new BackendError(message, { backend: this.#backend.name, fault: 'request', cause });
  }

  #startRest(state: 'down' | 'sick', reason: string): void {
    this.#reason = reason;
    if (this.#rest || this.#closed) return;
    const stop = new AbortController();
    this.#rest = { stop, over: this.#restUntilWell(stop.signal) };
    this.#take('none');
    this.#move(state, reason);
  }

  #recover(): void {
    this.#rest?.stop.abort();
    this.#rest = undefined;
    this.#onTried();
    this.#move('well');
    this.#take('all');
  }

  async #restUntilWell(stop: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await this.#pause(stop);
        if (!this.#blame.isSick) {
          this.#recover();
          return;
        }
        // A probe alone does not show that it is well again: an image that somebody waits for does.
        this.#move('sick', this.#reason);
        await new Promise<void>((resolve) => {
          this.#onTried = resolve;
          this.#take('one');
        });
        stop.throwIfAborted();
      }
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }

  /**
   * Until a probe passes; where it is sick, until its pause is over as well, or it was away and is back meanwhile:
   * somebody has restarted it.
   */
  async #pause(stop: AbortSignal): Promise<void> {
    const isSick = this.#blame.isSick;
    const over = performance.now() + (isSick ? pauseMs(this.#trialMs, this.#trials++) : 0);
    let answered = false;
    let wentAway = false;
    for (let probes = 0; ; probes++) {
      const left = over - performance.now();
      const ms = pauseMs(this.#probeMs, probes);
      await sleep(left > 0 ? Math.min(left, ms) : ms, undefined, { signal: stop });
      const failure = await this.#backend.probe(stop).then(() => undefined, toError);
      stop.throwIfAborted();
      if (!failure && (wentAway || performance.now() >= over)) return;
      if (!failure) {
        answered = true;
        continue;
      }
      if (!(failure instanceof BackendError)) throw failure;
      if (!isSick) this.#reason = failure.message;
      wentAway ||= answered;
    }
  }

  #take(takes: 'all' | 'one' | 'none'): void {
    if (takes === this.#takes) return;
    this.#takes = takes;
    this.#options.onTaking?.();
  }

  #move(state: BackendHealthState, reason?: string): void {
    if (state === this.#state) return;
    // What ends while it rests says nothing new, and a sick server that is being restarted is told of once.
    if (this.#rest && (state === 'ailing' || this.#state === 'sick')) return;
    this.#state = state;
    this.#options.onChange?.(state, reason);
  }
}

/** Exponential, with a little jitter, so that many processes do not ask a server that comes back all at once. */
function pauseMs({ first, longest }: Pauses, before: number): number {
  return Math.min(longest, first * 2 ** before) * (0.9 + Math.random() / 10);
}
