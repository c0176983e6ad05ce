import { createHash } from 'node:crypto';

const brief = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 10);

/**
 * The names of the queues that a ledger's runs share. Ledgers that share a Redis keep apart, and so do folders whose
 * candidates lie apart: an image that is made in one cannot be judged from another.
 */
export class QueueNames {
  /** In the name of each of them. */
  readonly place: string;

  constructor(ledger: string, store: string) {
    this.place = brief(JSON.stringify([ledger, store]));
  }

  /** Candidates for one model. */
  classify(model: string): string {
    return `classify-${this.place}-${brief(model)}`;
  }

  /** Attempts of one lane for the same servers: whoever sits there can take any of them. */
  generate(lane: string, servers: readonly string[]): string {
    return `generate-${this.place}-${lane}-${brief(JSON.stringify([...servers].sort()))}`;
  }
}
