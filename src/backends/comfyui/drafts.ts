import { readFile } from 'node:fs/promises';
import { BackendError, ConfigError, systemCode } from '../../errors.js';
import type { Repair } from '../../loop/index.js';
import type { HttpClient } from '../../net/index.js';
import type { GenerateJob } from '../port.js';
import { didYouMean } from './bindings.js';
import { nodeName, type Graph } from './graph.js';
import type { Lists } from './lists.js';
import { filenamePrefix, fill, type Parts } from './mapping.js';
import { Uploads } from './uploads.js';
import { readWorkflow, type Workflow } from './workflow.js';

/** Makes of a job the graph to post: the workflow filled in, its pictures uploaded. Throws `request` faults. */
export class Drafts {
  readonly #uploads: Uploads;

  constructor(
    private readonly name: string,
    http: HttpClient,
    private readonly lists: Lists,
    private readonly workflow: Workflow,
  ) {
    this.#uploads = new Uploads(name, http);
  }

  /** The backend's own workflow, or the one that a repair names. */
  async workflowOf(repair: Repair | undefined): Promise<Workflow> {
    return repair ? this.#repairWorkflow(repair) : this.workflow;
  }

  /** The workflow with the job's settings and pictures in it. */
  async graphOf(job: GenerateJob, workflow: Workflow, signal: AbortSignal): Promise<Graph> {
    const { request, repair } = job;
    const parts: Parts = { filenamePrefix: filenamePrefix(job) };
    if (repair) {
      if (workflow.bindings.init_image === undefined) {
        throw this.#error(
          `cannot mend an image with ${workflow.path}: no LoadImage is seen to take it. Say which one does, for example bindings: { init_image: "10.inputs.image" }.`,
        );
      }
      parts.initImage = await this.#uploads.bytes(repair.candidate, '.png', signal);
    } else if (request.init_image !== undefined) {
      parts.initImage = await this.#uploads.file(request.init_image, signal);
    }
    if (request.mask !== undefined) parts.mask = await this.#uploads.file(request.mask, signal);
    const { graph, lacks } = fill(request, workflow, parts);
    const [lack] = lacks;
    if (lack !== undefined) {
      throw this.#error(
        `${workflow.path} has no input that takes ${lack.asked}.${didYouMean(lack.near)} Say which one it is under bindings, or leave ${lack.asked} out.`,
      );
    }
    await this.#chooseCheckpoint(graph, workflow, signal);
    return graph;
  }

  /** An empty checkpoint means whichever the server has. */
  async #chooseCheckpoint(graph: Graph, workflow: Workflow, signal: AbortSignal): Promise<void> {
    for (const { node: id, input } of workflow.bindings.checkpoint ?? []) {
      const node = graph[id];
      if (node?.inputs[input] !== '') continue;
      const [first] = (await this.lists.choices(node.class_type, input, signal)) ?? [];
      if (first === undefined) throw this.#error(`has no checkpoint for ${nodeName(graph, id)}.`);
      node.inputs[input] = first;
    }
  }

  async #repairWorkflow(repair: Repair): Promise<Workflow> {
    if (repair.with !== 'workflow') {
      throw this.#error('is a ComfyUI server and has no ADetailer: mend with a workflow there.');
    }
    const { workflow: path, bindings } = repair;
    try {
      return readWorkflow({ text: await readFile(path, 'utf8'), path }, bindings);
    } catch (error) {
      if (error instanceof ConfigError) throw this.#error(error.message);
      throw this.#error(`the workflow ${path} cannot be read (${systemCode(error) ?? String(error)}).`);
    }
  }

  #error(message: string): BackendError {
    return new BackendError(message, { backend: this.name, fault: 'request' });
  }
}
