import { setTimeout as sleep } from 'node:timers/promises';
import { circuitBreaker, CircuitState, ConsecutiveBreaker, handleWhen, type IDisposable } from 'cockatiel';
import { BackendError, toError } from '../errors.js';
import type { Backend, ServerInfo } from './port.js';

/** `ailing`: the last request failed. `down`: nothing is sent until a probe passes. */
export type BackendHealthState = 'well' | 'ailing' | 'down';

export interface HealthOptions {
  /** Called on every change; `reason` is the failure behind it. */
  onChange?: (state: BackendHealthState, reason?: string) => void;
  /** Transient failures in a row that open the breaker. Default 3. */
  threshold?: number;
  /** The pause before the first probe of a server that is down, and the longest one. Default 1 s and 60 s. */
  probeMs?: { first: number; longest: number };
}

/** A circuit breaker over one backend, which probes it while it is down. */
export interface Health {
  readonly state: BackendHealthState;
  /** The failure behind a state that is not `well`. */
  readonly reason: string;
  /** Runs `work` and takes note of how it ended. While the backend is down it fails at once, and nothing is sent. */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** Asks the backend now. A pass makes it well; a BackendError takes it down, and is thrown. */
  probe(signal: AbortSignal): Promise<ServerInfo>;
  close(): Promise<void>;
}

export function watchHealth(backend: Backend, options: HealthOptions = {}): Health {
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
  readonly #backend: Backend;
  readonly #onChange: (state: BackendHealthState, reason?: string) => void;
  readonly #probeMs: { first: number; longest: number };
  readonly #breaker: ConsecutiveBreaker;
  readonly #policy;
  #state: BackendHealthState = 'well';
  /** There while the breaker is open. */
  #open: { hold: IDisposable; stop: AbortController; probing: Promise<void> } | undefined;
  /** Pauses since a request last succeeded: a server that passes every probe and fails every job waits ever longer. */
  #pauses = 0;
  #reason = '';
  #closed = false;

  constructor(backend: Backend, options: HealthOptions) {
    this.#backend = backend;
    this.#onChange = options.onChange ?? (() => undefined);
    this.#probeMs = options.probeMs ?? { first: 1_000, longest: 60_000 };
    this.#breaker = new ConsecutiveBreaker(options.threshold ?? 3);
    // The breaker counts; when it is open, a probe and not a user's job tries whether the server is well.
    this.#policy = circuitBreaker(handleWhen(isFailure), { halfOpenAfter: 0, breaker: this.#breaker });
  }

  get state(): BackendHealthState {
    return this.#state;
  }

  get reason(): string {
    return this.#reason;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#open) {
      const details = { backend: this.#backend.name, fault: 'transient', unreachable: true } as const;
      throw new BackendError(`is down and asked again when it is well. ${this.#reason}`, details);
    }
    try {
      const result = await this.#policy.execute(work);
      this.#pauses = 0;
      this.#move('well');
      return result;
    } catch (error) {
      if (error instanceof BackendError && isFailure(error)) {
        const hopeless = error.fault === 'backend' || error.unreachable;
        if (hopeless || this.#policy.state !== CircuitState.Closed) this.#takeDown(error);
        else this.#move('ailing', error.message);
      }
      throw error;
    }
  }

  async probe(signal: AbortSignal): Promise<ServerInfo> {
    try {
      const info = await this.#backend.probe(signal);
      this.#recover();
      return info;
    } catch (error) {
      if (error instanceof BackendError) this.#takeDown(error);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#open?.stop.abort();
    await this.#open?.probing;
  }

  #takeDown(error: BackendError): void {
    this.#reason = error.message;
    if (this.#open || this.#closed) return;
    const stop = new AbortController();
    this.#open = { hold: this.#policy.isolate(), stop, probing: this.#probeUntilWell(stop.signal) };
    this.#move('down', error.message);
  }

  #recover(): void {
    this.#open?.stop.abort();
    this.#open?.hold.dispose();
    this.#open = undefined;
    this.#breaker.success();
    this.#move('well');
  }

  async #probeUntilWell(stop: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await sleep(this.#pause(), undefined, { signal: stop });
        const failure = await this.#backend.probe(stop).then(() => undefined, toError);
        stop.throwIfAborted();
        if (failure === undefined) {
          this.#recover();
          return;
        }
        if (!(failure instanceof BackendError)) throw failure;
        this.#reason = failure.message;
      }
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }

  /** Exponential, with jitter, so that many workers do not ask a server that comes back all at once. */
  #pause(): number {
    const { first, longest } = this.#probeMs;
    const full = Math.min(longest, first * 2 ** this.#pauses++);
    return full * (0.5 + Math.random() / 2);
  }

  #move(state: BackendHealthState, reason?: string): void {
    // A request that was under way when the server went down says nothing new: the probe decides.
    if (state === this.#state || (this.#open && state !== 'down')) return;
    this.#state = state;
    this.#onChange(state, reason);
  }
}

/** What can never be done is not the server's illness, and an abort is nobody's. */
function isFailure(error: Error): boolean {
  return error instanceof BackendError && error.fault !== 'request';
}
