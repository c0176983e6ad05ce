/** Thrown at whoever still works or waits when the server goes away. */
export class ServerGone extends Error {
  override readonly name = 'ServerGone';
}

/** One picture's worth of work, while it lasts. */
export interface Work {
  /** 0 to 1: how much is done. */
  share(): number;
  /** Ends the work early, as it stands. */
  stop(): void;
}

/**
 * The one "GPU" of a server: one FIFO lock, one loaded checkpoint, and a clock that counts how long it
 * worked. Time passes by deadlines from the start of the work, so drawing time is part of the latency.
 */
export class Gpu {
  loaded: string;
  /** CUDA is broken for as long as this process lives. */
  isPoisoned = false;
  /** Milliseconds with the lock held, up to now. */
  busyMs = 0;
  #last: Promise<unknown> = Promise.resolve();

  readonly #reloadMs: number;
  readonly #gone: AbortSignal;

  constructor(checkpoint: string, reloadMs: number, gone: AbortSignal) {
    this.#reloadMs = reloadMs;
    this.#gone = gone;
    this.loaded = checkpoint;
  }

  /** Runs `task` when everybody who came before is done. */
  exclusive<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      if (this.#gone.aborted) throw new ServerGone('the sketch server has stopped');
      const start = performance.now();
      try {
        return await task();
      } finally {
        this.busyMs += performance.now() - start;
      }
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Makes `checkpoint` the loaded one, which takes time unless it is. Call with the lock held. */
  async load(checkpoint: string): Promise<void> {
    if (checkpoint === this.loaded) return;
    await this.work(this.#reloadMs, () => undefined);
    this.loaded = checkpoint;
  }

  /** Lets `ms` pass, or less if the work is stopped; returns the share that was done. Call with the lock held. */
  work(ms: number, onStart: (work: Work) => void): Promise<number> {
    const start = performance.now();
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const share = (): number => (ms === 0 ? 1 : Math.min(1, (performance.now() - start) / ms));
      const leave = (): void => {
        clearTimeout(timer);
        this.#gone.removeEventListener('abort', abandon);
      };
      const end = (done: number): void => {
        leave();
        resolve(done);
      };
      const abandon = (): void => {
        leave();
        reject(new ServerGone('the sketch server has stopped'));
      };
      const wait = (): void => {
        const left = start + ms - performance.now();
        if (left <= 0) end(1);
        else timer = setTimeout(wait, Math.min(left, 2 ** 31 - 1));
      };
      if (this.#gone.aborted) {
        abandon();
        return;
      }
      this.#gone.addEventListener('abort', abandon);
      onStart({ share, stop: () => end(share()) });
      wait();
    });
  }
}
