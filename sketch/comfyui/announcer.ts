import type { JsonObject } from '../http.js';
import type { Item } from './queue.js';
import type { Sockets } from './sockets.js';

type NodeState = 'running' | 'finished' | 'error';

/** What a prompt says on the socket while it runs. A prompt with the fault `mute-socket` says nothing. */
export class Announcer {
  /** Every message that history keeps. */
  readonly messages: [string, JsonObject][] = [];
  readonly #nodes: Record<string, JsonObject> = {};

  readonly #sockets: Sockets;
  readonly #item: Item;

  constructor(sockets: Sockets, item: Item) {
    this.#sockets = sockets;
    this.#item = item;
  }

  get #muted(): boolean {
    return this.#item.fault === 'mute-socket';
  }

  /** A message that history keeps; heard by the prompt's client, or with `broadcast` by all if it has none. */
  record(event: string, data: JsonObject, broadcast = false): void {
    const message = { prompt_id: this.#item.id, ...data, timestamp: Date.now() };
    this.messages.push([event, message]);
    if (this.#item.clientId !== undefined || broadcast) this.#send(event, message);
  }

  executing(node: string | null): void {
    const where = node === null ? { node } : { node, display_node: node };
    if (this.#item.clientId !== undefined) this.#send('executing', { ...where, prompt_id: this.#item.id });
  }

  executed(node: string, output: JsonObject | null): void {
    if (this.#item.clientId === undefined) return;
    this.#send('executed', { node, display_node: node, output, prompt_id: this.#item.id });
  }

  /** One step of a sampler. */
  step(node: string, value: number, max: number): void {
    this.progress(node, value, max, 'running');
    this.#send('progress', { value, max, prompt_id: this.#item.id, node });
  }

  progress(node: string, value: number, max: number, state: NodeState): void {
    const ids = { node_id: node, display_node_id: node, parent_node_id: null, real_node_id: node };
    this.#nodes[node] = { value, max, state, prompt_id: this.#item.id, ...ids };
    this.#send('progress_state', { prompt_id: this.#item.id, nodes: this.#nodes });
  }

  /** Whether anybody would see a preview. */
  isHeard(): boolean {
    return !this.#muted && this.#sockets.has(this.#item.clientId);
  }

  preview(node: string, jpeg: Buffer): void {
    if (this.#muted) return;
    const ids = { node_id: node, display_node_id: node, parent_node_id: null, real_node_id: node };
    this.#sockets.preview(jpeg, { prompt_id: this.#item.id, ...ids }, this.#item.clientId);
  }

  /** Frames that no client should trip over, where the fault asks for them. */
  garbage(): void {
    if (this.#item.fault !== 'garbage-socket') return;
    const frames = [
      '',
      'not json',
      '[1,2',
      'null',
      '[]',
      '"text"',
      '{"type":"progress"}',
      '{"type":"executing","data":null}',
      '{"type":"no such type","data":{"prompt_id":7}}',
      Buffer.alloc(0),
      Buffer.from([0, 0, 1]),
      Buffer.from([0, 0, 0, 99, 1, 2, 3]),
      Buffer.from([0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff, 1]),
      Buffer.from([0, 0, 0, 1, 0, 0, 0, 1]),
    ];
    for (const frame of frames) this.#sockets.raw(frame, this.#item.clientId);
  }

  #send(type: string, data: JsonObject): void {
    if (!this.#muted) this.#sockets.send(type, data, this.#item.clientId);
  }
}
