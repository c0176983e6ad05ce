import type { Progress } from '../port.js';
import type { Events } from './events.js';

/** What the socket has said about one prompt so far. */
export class Hints {
  /** Changes with every sign of life. */
  signs = 0;
  ended = false;
  readonly #steps = new Map<string, number>();
  readonly #samplers: readonly string[];
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  #share = 0;
  #wake: () => void = () => undefined;

  /** `samplers`: the nodes whose steps count. */
  constructor(samplers: readonly string[], onProgress?: (progress: Progress) => void) {
    this.#samplers = samplers;
    this.#onProgress = onProgress;
  }

  /** Begins to listen; returns what ends it. */
  listen(events: Events, promptId: string): () => void {
    return events.listen(promptId, {
      onSign: () => {
        this.signs++;
      },
      onStep: (node, value, max) => this.#step(node, value / max),
      onEnd: () => {
        this.ended = true;
        this.#wake();
      },
    });
  }

  /** Waits, less long where the end is announced. */
  async pause(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const woken = this.ended;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, ms);
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done, { once: true });
      this.#wake = woken ? () => undefined : done;
    });
    signal.throwIfAborted();
  }

  #step(node: string, share: number): void {
    if (!this.#samplers.includes(node)) return;
    this.#steps.set(node, Math.min(1, Math.max(0, share)));
    const done = [...this.#steps.values()].reduce((sum, one) => sum + one, 0);
    const total = done / this.#samplers.length;
    if (total <= this.#share) return;
    this.#share = total;
    this.#onProgress?.({ share: total });
  }
}
