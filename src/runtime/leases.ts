import { StorageError } from '../errors.js';
import type { Lease, Ledger } from '../ledger/index.js';

/** The leases that this process holds, by their names. One that was lost is taken again when somebody asks for it. */
export class Leases {
  readonly #ledger: Ledger;
  readonly #held = new Map<string, Promise<Lease | undefined>>();
  readonly #stopListening: () => void;

  constructor(ledger: Ledger, onLost: (name: string) => void) {
    this.#ledger = ledger;
    this.#stopListening = ledger.onLost(({ name }) => {
      this.#held.delete(name);
      onLost(name);
    });
  }

  /** The lease of that name; undefined while another process has it. */
  async take(name: string): Promise<Lease | undefined> {
    const taking = this.#held.get(name) ?? this.#ledger.takeLease(name);
    this.#held.set(name, taking);
    const lease = await taking.catch((error: unknown) => {
      this.#held.delete(name);
      throw error;
    });
    if (!lease) this.#held.delete(name);
    return lease;
  }

  /** Whether this process has it, or asks for it just now. */
  has(name: string): boolean {
    return this.#held.has(name);
  }

  async release(name: string): Promise<void> {
    const lease = await this.#held.get(name);
    this.#held.delete(name);
    if (lease) await this.#ledger.releaseLease(lease);
  }

  async close(): Promise<void> {
    this.#stopListening();
    for (const name of [...this.#held.keys()]) {
      // Where the ledger's server is away it runs out by itself, and what this process leaves for is told instead.
      await this.release(name).catch((error: unknown) => {
        if (!(error instanceof StorageError)) throw error;
      });
    }
  }
}
