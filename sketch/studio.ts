import { EventEmitter } from 'node:events';
import { FaultPlan } from './faults.js';
import type { Gpu } from './gpu.js';
import type { Artist, SketchEvents, SketchOptions, SketchStats } from './types.js';

/** What outlives a restart of the server: its options, its artist, its faults and its numbers. */
export class Studio {
  readonly plan: FaultPlan;
  readonly events = new EventEmitter<SketchEvents>();
  #gpu: Gpu | undefined;
  #earlierBusyMs = 0;
  readonly #generated = new Map<string, number>();
  #requests = 0;
  #held = 0;
  #maxHeld = 0;
  #images = 0;

  constructor(
    readonly options: SketchOptions,
    readonly draw: Artist,
  ) {
    this.plan = new FaultPlan(options.protocol, options.failRate, options.faults);
  }

  /** The "GPU" of the life that begins now. */
  work(gpu: Gpu): void {
    this.#earlierBusyMs += this.#gpu?.busyMs ?? 0;
    this.#gpu = gpu;
  }

  asked(): void {
    this.#requests++;
  }

  /** A generation is here, running or waiting, until the returned function is called. */
  hold(remoteId: string): () => void {
    this.#held++;
    this.#maxHeld = Math.max(this.#maxHeld, this.#held);
    this.events.emit('queued', remoteId);
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.#held--;
      this.events.emit('finished', remoteId);
    };
  }

  made(remoteId: string): void {
    this.#images++;
    this.#generated.set(remoteId, (this.#generated.get(remoteId) ?? 0) + 1);
  }

  stats(): SketchStats {
    return {
      busyMs: this.#earlierBusyMs + (this.#gpu?.busyMs ?? 0),
      images: this.#images,
      requests: this.#requests,
      maxHeld: this.#maxHeld,
      generated: Object.fromEntries(this.#generated),
    };
  }
}

/** What one life of the server has: a restart begins another one. */
export interface Life {
  readonly studio: Studio;
  readonly gpu: Gpu;
  /** Aborts when this life ends. */
  readonly gone: AbortSignal;
}
