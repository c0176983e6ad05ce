import type { JsonObject } from '../http.js';
import type { Fault } from '../types.js';
import type { Graph } from './graph.js';

/** One prompt in the queue. */
export interface Item {
  number: number;
  id: string;
  graph: Graph;
  extraData: JsonObject;
  outputs: string[];
  clientId: string | undefined;
  fault: Fault | undefined;
  /** Ends the count of what the server holds. */
  release: () => void;
}

/** A finished prompt. */
export interface History {
  prompt: unknown[];
  outputs: JsonObject;
  status: { status_str: 'success' | 'error'; completed: boolean; messages: [string, JsonObject][] };
  meta: JsonObject;
}

/** Finished prompts kept. ComfyUI keeps 10,000; a sketch must not fill the memory of the process that it lives in. */
const kept = 1000;

/** The queue and history of one life: in memory only, so a restart forgets both. */
export class PromptQueue {
  readonly pending: Item[] = [];
  running: Item | undefined;
  readonly history = new Map<string, History>();

  /** @param updated told whenever the number of waiting and running prompts changes. */
  readonly #updated: () => void;

  constructor(updated: () => void) {
    this.#updated = updated;
  }

  get remaining(): number {
    return this.pending.length + (this.running === undefined ? 0 : 1);
  }

  put(item: Item): void {
    this.pending.push(item);
    // Smaller numbers first; of equal ones the smaller id: ComfyUI's heap is not FIFO among them.
    this.pending.sort((a, b) => a.number - b.number || (a.id < b.id ? -1 : 1));
    this.#updated();
  }

  /** Makes the first prompt the running one. Undefined while there is none, or while a zombie stands in the way. */
  take(): Item | undefined {
    if (this.running !== undefined || this.pending[0]?.fault === 'zombie') return undefined;
    this.running = this.pending.shift();
    if (this.running !== undefined) this.#updated();
    return this.running;
  }

  /** Moves the running prompt to the history, in one step. */
  done(item: Item, result: Omit<History, 'prompt'>): void {
    this.running = undefined;
    this.history.set(item.id, { prompt: listed(item), ...result });
    const [oldest] = this.history.keys();
    if (this.history.size > kept && oldest !== undefined) this.history.delete(oldest);
    item.release();
    this.#updated();
  }

  /** The server goes away with all that it holds. */
  abandon(): void {
    for (const item of [...this.pending, ...(this.running ? [this.running] : [])]) item.release();
  }

  /** Takes waiting prompts out, without history and without a word. Returns whether there were any. */
  delete(matches: (item: Item) => boolean): boolean {
    const before = this.pending.length;
    for (let index = before - 1; index >= 0; index--) {
      const item = this.pending[index];
      if (item === undefined || !matches(item)) continue;
      this.pending.splice(index, 1);
      item.release();
    }
    if (this.pending.length === before) return false;
    this.#updated();
    return true;
  }
}

/** A prompt as /queue and /history show it. */
export function listed(item: Item): unknown[] {
  return [item.number, item.id, item.graph, item.extraData, item.outputs];
}
