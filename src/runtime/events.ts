import { EventEmitter } from 'node:events';
import type { AttemptKey, RunProgress } from '../ledger/index.js';
import type { Outcome, RunState, Verdict } from '../loop/index.js';
import type { BackendHealthState } from '../backends/index.js';

/** All that happens in a run, for displays and logs: they render it and decide nothing. */
export type RunEvent =
  | { type: 'run'; run: string; state: RunState }
  | { type: 'backend'; backend: string; state: BackendHealthState; reason?: string }
  | { type: 'generating'; key: AttemptKey; backend: string; prompt: string }
  | { type: 'progress'; key: AttemptKey; backend: string; share: number }
  | { type: 'generated'; key: AttemptKey; backend: string; seconds: number }
  | { type: 'server-error'; key: AttemptKey; backend: string; message: string }
  | { type: 'judged'; key: AttemptKey; verdict: Verdict }
  | { type: 'shot-ended'; run: string; shot: number; outcome: Outcome; published?: string; reason?: string }
  | { type: 'totals'; progress: RunProgress }
  | { type: 'warning'; message: string };

export type EmitRunEvent = (event: RunEvent) => void;

/** One channel of run events. A listener that throws cannot break a worker: its error surfaces on its own. */
export class RunEvents {
  readonly #emitter = new EventEmitter();

  readonly emit: EmitRunEvent = (event) => {
    try {
      this.#emitter.emit('event', event);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };

  /** Returns the function that stops listening. */
  listen(listener: EmitRunEvent): () => void {
    this.#emitter.on('event', listener);
    return () => this.#emitter.off('event', listener);
  }
}
