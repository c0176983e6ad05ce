import { randomUUID } from 'node:crypto';
import { ReconnectingSocket } from '../../net/index.js';
import { event as eventSchema } from './schema.js';

/** What the socket says about one prompt. Hints only: any of it may never come. */
export interface Listener {
  /** A node works: `value` of `max` is done. */
  onStep(node: string, value: number, max: number): void;
  /** It has ended, or is about to. */
  onEnd(): void;
  /** Anything about any prompt of ours, so the server is alive. */
  onSign(): void;
}

const ends = new Set(['execution_success', 'execution_error', 'execution_interrupted']);

/** One WebSocket for all prompts that this process has at a server. */
export class Events {
  readonly #listeners = new Map<string, Listener>();
  readonly #options: { url: string; auth?: string };
  #socket: ReconnectingSocket | undefined;
  #clientId = randomUUID() as string;
  /** Of all connections so far: prompts that were posted under an earlier one are still ours. */
  readonly #clientIds = new Set([this.#clientId]);

  constructor(options: { url: string; auth?: string }) {
    this.#options = options;
  }

  /** Whom the server shall tell about a prompt that is posted now. */
  get clientId(): string {
    return this.#clientId;
  }

  isOurs(clientId: string): boolean {
    return this.#clientIds.has(clientId);
  }

  /** Returns what ends it. */
  listen(promptId: string, listener: Listener): () => void {
    this.#listeners.set(promptId, listener);
    this.#socket ??= this.#connect();
    return () => this.#listeners.delete(promptId);
  }

  async close(): Promise<void> {
    await this.#socket?.close();
  }

  #connect(): ReconnectingSocket {
    return new ReconnectingSocket({
      ...this.#options,
      // A new id for every connection: when the server notices the death of an older one with the same id, it
      // falls silent towards the newer one. Prompts under way are heard no more; they are polled anyway.
      path: () => {
        this.#clientIds.add((this.#clientId = randomUUID()));
        return `/ws?clientId=${this.#clientId}`;
      },
      onJson: (value) => this.#hear(value),
      onBinary: () => undefined, // previews, which nobody looks at
    });
  }

  #hear(value: unknown): void {
    const parsed = eventSchema.safeParse(value).data;
    const id = parsed?.data.prompt_id;
    if (parsed === undefined || id === undefined) return;
    const { type, data } = parsed;
    // The prompts that wait behind this one live by its steps: a server works on one at a time.
    for (const each of this.#listeners.values()) each.onSign();
    const listener = this.#listeners.get(id);
    if (listener === undefined) return;
    if (type === 'progress' && typeof data.node === 'string' && data.value !== undefined && data.max) {
      listener.onStep(data.node, data.value, data.max);
    }
    // Success comes before the history is written; only the node null comes after it.
    if (ends.has(type) || (type === 'executing' && data.node === null)) listener.onEnd();
  }
}
