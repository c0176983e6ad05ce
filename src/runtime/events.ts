import { EventEmitter } from 'node:events';
import type { BackendHealthState } from '../backends/index.js';
import { toError } from '../errors.js';
import type { AttemptKey, RunProgress } from '../ledger/index.js';
import type { Outcome, RunState, Verdict } from '../loop/index.js';

/** What a warning is about, for programs. */
export type WarningCode =
  | 'backend-left-out'
  | 'backend-untold'
  | 'setting-in-vain'
  | 'repair-dropped'
  | 'image-unreadable'
  | 'model-note'
  | 'queue-away'
  | 'state'
  | 'run-elsewhere'
  | 'file-changed'
  | 'role-lost'
  | 'no-report';

/** All that happens in a run, for displays and logs: they render it and decide nothing. */
export type RunEvent =
  /** `interrupted`: this process leaves it as it is. */
  | { type: 'run'; run: string; state: RunState | 'interrupted' }
  /** Shots that had ended are tried again, up to so many attempts each; `changed`: the settings that count from here on. */
  | { type: 'retried'; run: string; shots: number; attempts: number; changed: string[] }
  | { type: 'backend'; run: string; backend: string; state: BackendHealthState; reason?: string }
  /** An attempt waits for a server: a new one, or one that comes back. */
  | { type: 'due'; key: AttemptKey; place?: Place }
  | { type: 'generating'; key: AttemptKey; backend: string; prompt: string }
  | { type: 'progress'; key: AttemptKey; backend: string; share: number }
  | { type: 'generated'; key: AttemptKey; backend: string; seconds: number }
  | { type: 'server-error'; key: AttemptKey; backend: string; message: string }
  /** The server can never do it: others are asked. */
  | { type: 'refused'; key: AttemptKey; backend: string; message: string }
  | { type: 'judged'; key: AttemptKey; verdict: Verdict }
  | { type: 'shot-ended'; run: string; shot: number; outcome: Outcome; published?: string; reason?: string }
  | { type: 'totals'; progress: RunProgress }
  /** Without a run: it concerns all. */
  | { type: 'warning'; run?: string; code: WarningCode; message: string };

/** Where an attempt waits: its lane's queue. */
export interface Place {
  lane: string;
  priority: number;
}

export type EmitRunEvent = (event: RunEvent) => void;

/** The run that an event belongs to; undefined where it concerns all. */
export function runOf(event: RunEvent): string | undefined {
  if ('key' in event) return event.key.run;
  return event.type === 'totals' ? event.progress.run : event.run;
}

/** Calls every listener. One that throws, or whose promise rejects, breaks nothing: its error is logged. */
export function tellAll(listeners: readonly unknown[], event: unknown): void {
  const log = (error: unknown) => {
    process.emitWarning(toError(error));
  };
  for (const listener of listeners as ((event: unknown) => unknown)[]) {
    try {
      const answer = listener(event);
      if (answer instanceof Promise) answer.catch(log);
    } catch (error) {
      log(error);
    }
  }
}

/** One channel of run events. */
export class RunEvents {
  readonly #emitter = new EventEmitter().setMaxListeners(0);

  readonly emit: EmitRunEvent = (event) => {
    tellAll(this.#emitter.listeners('event'), event);
  };

  /** Returns the function that stops listening. */
  listen(listener: EmitRunEvent): () => void {
    this.#emitter.on('event', listener);
    return () => this.#emitter.off('event', listener);
  }
}
