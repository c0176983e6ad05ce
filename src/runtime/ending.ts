/** How a run's work in this process ends: once, by the first who says so. */
export class Ending {
  #end: () => void = () => undefined;
  #fail: (error: unknown) => void = () => undefined;
  readonly #promise = new Promise<void>((resolve, reject) => {
    this.#end = resolve;
    this.#fail = reject;
  });

  constructor() {
    // Awaited only at the end of the run: until then a failure must not count as unhandled.
    this.#promise.catch(() => undefined);
  }

  readonly end = (): void => this.#end();
  readonly fail = (error: unknown): void => this.#fail(error);

  wait(): Promise<void> {
    return this.#promise;
  }
}
