import { ServerGone } from '../gpu.js';
import type { JsonObject } from '../http.js';
import type { Life } from '../studio.js';
import { Announcer } from './announcer.js';
import { Executor } from './executor.js';
import type { Files } from './files.js';
import type { Workshop } from './nodes/index.js';
import { PromptQueue, type Item } from './queue.js';
import { Sockets } from './sockets.js';

/** Longest request body, bytes: ComfyUI's --max-upload-size. */
export const bodyLimit = 100 * 1024 * 1024;

const features: JsonObject = {
  supports_preview_metadata: true,
  supports_model_type_tags: true,
  max_upload_size: bodyLimit,
  extension: { manager: { supports_v4: true } },
  node_replacements: true,
  assets: false,
};

/** One life of the server: queue, history, node cache and sockets, all forgotten by a restart. */
export class Comfy {
  readonly queue: PromptQueue;
  readonly sockets: Sockets;
  readonly workshop: Workshop;
  readonly #executor: Executor;
  /** The number that the next prompt gets. */
  number = 0;

  constructor(
    readonly life: Life,
    readonly files: Files,
  ) {
    const { draw, options } = life.studio;
    this.workshop = { draw, badRate: options.badRate, checkpoints: options.checkpoints, files };
    this.queue = new PromptQueue(() => this.sockets.send('status', { status: this.info() }));
    this.sockets = new Sockets((sid) => this.#greet(sid), features);
    this.#executor = new Executor(life, this.workshop, this.sockets);
    life.gone.addEventListener('abort', () => {
      this.sockets.close();
      this.queue.abandon();
    });
  }

  info(): { exec_info: { queue_remaining: number } } {
    return { exec_info: { queue_remaining: this.queue.remaining } };
  }

  add(item: Item): void {
    this.queue.put(item);
    // Only the next few: a long queue must not be drawn all at once.
    if (this.queue.pending.length <= 2) this.#executor.prepare(item);
    this.#next();
  }

  /** @returns whether it was waiting. */
  remove(matches: (item: Item) => boolean): boolean {
    const removed = this.queue.delete(matches);
    this.#next(); // a zombie may have stood in the way
    return removed;
  }

  /** Interrupts what runs, if it is `id`. Returns whether it was. */
  interrupt(id: string): boolean {
    if (this.queue.running?.id !== id) return false;
    this.#executor.interrupt();
    return true;
  }

  interruptAny(): void {
    this.#executor.interrupt();
  }

  cancel(id: string): boolean {
    return this.interrupt(id) || this.remove((item) => item.id === id);
  }

  #next(): void {
    const item = this.queue.take();
    if (item !== undefined) void this.#work(item).catch(ignoreGone);
  }

  async #work(item: Item): Promise<void> {
    const { gpu, studio } = this.life;
    const result = await gpu.exclusive(() => {
      studio.events.emit('started', item.id);
      return this.#executor.run(item);
    });
    // Success was announced before this: a client that asks for the history at once may not find it.
    this.queue.done(item, result);
    new Announcer(this.sockets, item).executing(null);
    this.#next();
  }

  #greet(sid: string): void {
    this.sockets.send('status', { status: this.info(), sid }, sid);
    const { current } = this.#executor;
    if (current?.clientId === sid) this.sockets.send('executing', { node: current.node }, sid);
  }
}

function ignoreGone(error: unknown): void {
  if (!(error instanceof ServerGone)) throw error;
}
