/**
 * What was opened, to be closed in reverse order. Every one is closed even if another fails; the first
 * failure is thrown when all are done.
 */
export class Releasers {
  readonly #stack: (() => Promise<void> | void)[] = [];

  add(release: () => Promise<void> | void): void {
    this.#stack.push(release);
  }

  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let release = this.#stack.pop(); release; release = this.#stack.pop()) {
      try {
        await release();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new AggregateError(failures, 'several things failed to close');
  }
}

/** Opens in steps: where a later step fails, what the earlier ones opened is closed again. */
export async function opening<T>(open: (releasers: Releasers) => Promise<T>): Promise<T> {
  const releasers = new Releasers();
  try {
    return await open(releasers);
  } catch (error) {
    // The failure to open is the one to tell of.
    await releasers.close().catch(() => undefined);
    throw error;
  }
}
