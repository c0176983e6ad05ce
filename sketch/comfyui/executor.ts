import type { JsonObject } from '../http.js';
import type { Work } from '../gpu.js';
import { preview } from '../pictures.js';
import type { Life } from '../studio.js';
import { Announcer } from './announcer.js';
import { Evaluation, NodeCache } from './cache.js';
import { failure, Interrupted, type Thrown } from './failure.js';
import { inOrder } from './graph.js';
import { nodeTypes, type Workshop } from './nodes/index.js';
import type { History, Item } from './queue.js';
import { saveImages } from './save.js';
import type { Sockets } from './sockets.js';
import type { Picture } from './values.js';

/** How often a socket hears about steps, and how many previews an image gets. */
const progressMs = 50;
const previews = 3;

/** Runs one prompt at a time, node by node, and says so on the socket in ComfyUI's order. */
export class Executor {
  readonly cache = new NodeCache();
  #work: Work | undefined;
  #interrupted = false;
  /** The node that runs now, for clients that come back. */
  current: { clientId: string; node: string } | undefined;

  readonly #life: Life;
  readonly #workshop: Workshop;
  readonly #sockets: Sockets;

  constructor(life: Life, workshop: Workshop, sockets: Sockets) {
    this.#life = life;
    this.#workshop = workshop;
    this.#sockets = sockets;
  }

  /** Stops what runs now. A prompt that starts later is not touched. */
  interrupt(): void {
    this.#interrupted = true;
    this.#work?.stop();
  }

  /** Begins to draw what a prompt will need, so that drawing does not add to the latency. */
  prepare(item: Item): void {
    const evaluation = this.#evaluation(item);
    try {
      for (const id of item.outputs) this.cache.inputs(evaluation, id);
    } catch {
      // The same happens when the prompt runs, and is reported there.
    }
  }

  async run(item: Item): Promise<Omit<History, 'prompt'>> {
    this.#interrupted = false;
    const announcer = new Announcer(this.#sockets, item);
    const evaluation = this.#evaluation(item);
    const run: Run = { item, announcer, evaluation, executed: [], outputs: {}, meta: {} };
    announcer.record('execution_start', {});
    const isCached = (id: string): boolean => this.cache.hasRun(evaluation.signature(id));
    const cached = Object.keys(item.graph).filter(isCached);
    announcer.record('execution_cached', { nodes: cached });
    announcer.garbage();
    let node = '';
    try {
      // Decided once: a node that runs now must not make its successors look cached.
      const known = new Set(cached);
      for (node of inOrder(item.graph, item.outputs, (id) => known.has(id))) {
        this.#checkInterrupted();
        if (known.has(node)) this.#showCached(run, node);
        else await this.#runNode(run, node);
      }
      announcer.record('execution_success', {});
      return this.#result(run, true);
    } catch (error) {
      this.#report(run, node, failure(error));
      return this.#result(run, false);
    } finally {
      this.current = undefined;
    }
  }

  #evaluation(item: Item): Evaluation {
    return new Evaluation(item.graph, nodeTypes(this.#workshop), this.#workshop);
  }

  #result({ announcer, outputs, meta }: Run, completed: boolean): Omit<History, 'prompt'> {
    const status_str = completed ? ('success' as const) : ('error' as const);
    return { outputs, meta, status: { status_str, completed, messages: announcer.messages } };
  }

  #showCached(run: Run, node: string): void {
    const ui = this.cache.ui(run.evaluation.signature(node));
    if (ui !== null) this.#show(run, node, ui);
    run.announcer.executed(node, ui);
  }

  #show(run: Run, node: string, ui: JsonObject): void {
    run.outputs[node] = ui;
    run.meta[node] = { node_id: node, display_node: node, parent_node: null, real_node_id: node };
  }

  async #runNode(run: Run, node: string): Promise<void> {
    const { announcer, evaluation, item } = run;
    const type = evaluation.type(node);
    announcer.progress(node, 0, 1, 'running');
    if (item.clientId !== undefined) this.current = { clientId: item.clientId, node };
    announcer.executing(node);
    const outputs = this.cache.outputs(evaluation, node);
    let ui: JsonObject | null = null;
    if (type.samples !== undefined) await this.#sample(run, node);
    for (const output of outputs) {
      if (output.type === 'LATENT' || output.type === 'IMAGE') await Promise.all(output.pictures ?? []);
    }
    if (type.saves !== undefined) {
      const inputs = this.cache.inputs(evaluation, node);
      const pictures = await Promise.all(inputs.value('images', 'IMAGE').pictures);
      const prefix = type.saves === 'temp' ? 'ComfyUI_temp' : inputs.text('filename_prefix');
      ui = await saveImages(this.#workshop.files, item, pictures, type.saves, prefix);
      this.#show(run, node, ui);
      announcer.executed(node, ui);
    }
    // A spoiled file is the fault's, so the next prompt must not be served it from the cache.
    if (!['black', 'grey', 'stuck', 'truncated'].includes(item.fault ?? ''))
      this.cache.ran(evaluation.signature(node), ui);
    announcer.progress(node, 1, 1, 'finished');
    run.executed.push(node);
  }

  /** Lets the latency of a sampler pass, with progress and previews. */
  async #sample(run: Run, node: string): Promise<void> {
    const { item, announcer, evaluation } = run;
    const { studio, gpu } = this.#life;
    const { checkpoint, steps, images } = evaluation
      .type(node)
      .samples?.(this.cache.inputs(evaluation, node)) ?? { checkpoint: gpu.loaded, steps: 0, images: 0 };
    gpu.isPoisoned ||= item.fault === 'poisoned';
    const failing =
      gpu.isPoisoned || ['execution-error', 'out-of-memory', 'interrupted'].includes(item.fault ?? '');
    const factor = item.fault === 'hang' ? Infinity : item.fault === 'slow' ? 5 : failing ? 0.5 : 1;
    const [output] = this.cache.outputs(evaluation, node);
    const picture = output?.type === 'LATENT' ? output.pictures?.[0] : undefined;
    await gpu.load(checkpoint);
    const ms = studio.options.latencyMs * images;
    const ticker = new Ticker(announcer, node, steps, picture, () => (this.#work?.share() ?? 0) * factor);
    // A hang shows one step and then nothing.
    const timer =
      item.fault === 'hang'
        ? undefined
        : setInterval(() => ticker.tick(), Math.max(progressMs, ms / Math.max(1, steps)));
    try {
      await gpu.work(item.fault === 'hang' ? Infinity : ms * factor, (work) => (this.#work = work));
    } finally {
      clearInterval(timer);
      this.#work = undefined;
    }
    if (item.fault === 'interrupted') this.interrupt();
    this.#checkInterrupted();
    if (gpu.isPoisoned) throw new Error('poisoned');
    if (item.fault === 'execution-error' || item.fault === 'out-of-memory') throw new Error(item.fault);
    ticker.end();
    for (let image = 0; image < images; image++) studio.made(item.id);
  }

  #checkInterrupted(): void {
    if (this.#interrupted) throw new Interrupted();
  }

  #report(run: Run, node: string, thrown: Thrown): void {
    const node_type = run.item.graph[node]?.class_type ?? '';
    const where = { node_id: node, node_type, executed: run.executed };
    if (thrown === 'interrupted') {
      run.announcer.record('execution_interrupted', where, true);
      return;
    }
    run.announcer.progress(node, 0, 1, 'error');
    run.announcer.record('execution_error', {
      ...where,
      ...thrown,
      current_inputs: {},
      current_outputs: run.executed,
    });
  }
}

/** One prompt while it runs. */
interface Run {
  item: Item;
  announcer: Announcer;
  evaluation: Evaluation;
  executed: string[];
  outputs: JsonObject;
  meta: JsonObject;
}

/** Says how far a sampler is: each step that has come, and a few previews. */
class Ticker {
  #step = 0;
  #previews = 0;

  readonly #announcer: Announcer;
  readonly #node: string;
  readonly #steps: number;
  readonly #picture: Promise<Picture> | undefined;
  readonly #share: () => number;

  constructor(
    announcer: Announcer,
    node: string,
    steps: number,
    picture: Promise<Picture> | undefined,
    share: () => number,
  ) {
    this.#announcer = announcer;
    this.#node = node;
    this.#steps = steps;
    this.#picture = picture;
    this.#share = share;
  }

  tick(): void {
    const share = Math.min(1, this.#share());
    const step = Math.floor(share * this.#steps);
    if (step > this.#step) this.#announcer.step(this.#node, step, this.#steps);
    this.#step = Math.max(step, this.#step);
    if (
      share > (this.#previews + 1) / (previews + 1) &&
      this.#picture !== undefined &&
      this.#announcer.isHeard()
    ) {
      this.#previews++;
      void this.#picture
        .then(({ pixels }) => preview(pixels, share))
        .then((jpeg) => this.#announcer.preview(this.#node, jpeg))
        .catch(() => undefined); // the prompt itself meets the failure
    }
  }

  end(): void {
    if (this.#step < this.#steps) this.#announcer.step(this.#node, this.#steps, this.#steps);
  }
}
