import { BackendError, ConfigError } from '../../errors.js';
import type { ImageRequest, Repair } from '../../loop/index.js';
import type { HttpClient } from '../../net/index.js';
import type { GenerateJob, ReadFile } from '../port.js';
import { describeLacks } from '../lacks.js';
import { didYouMean } from './bindings.js';
import { nodeName, type Graph } from './graph.js';
import type { Lists } from './lists.js';
import { filenamePrefix, fill, type Filled, type Parts } from './mapping.js';
import { readRepair } from './repair.js';
import { respell } from './spelling.js';
import { Uploads } from './uploads.js';
import type { Workflow } from './workflow.js';

/** Makes of a job the graph to post: the workflow filled in, its pictures uploaded. Throws `request` faults. */
export class Drafts {
  readonly #uploads: Uploads;

  readonly #name: string;
  readonly #lists: Lists;
  readonly #workflow: Workflow;
  readonly #keepImages: boolean;
  readonly #readFile: ReadFile;

  constructor(
    name: string,
    http: HttpClient,
    lists: Lists,
    workflow: Workflow,
    keepImages: boolean,
    readFile: ReadFile,
  ) {
    this.#name = name;
    this.#lists = lists;
    this.#workflow = workflow;
    this.#keepImages = keepImages;
    this.#readFile = readFile;
    this.#uploads = new Uploads(name, http, readFile);
  }

  /** The backend's own workflow, or the one that a repair names. */
  async workflowOf(repair: Repair | undefined): Promise<Workflow> {
    return repair ? this.#repairWorkflow(repair) : this.#workflow;
  }

  /** A request in a workflow's words, its files as the server spells them. */
  async fill(request: ImageRequest, workflow: Workflow, parts: Parts, signal: AbortSignal): Promise<Filled> {
    const filled = fill(request, workflow, parts);
    await respell(filled.graph, filled.files, this.#lists, signal);
    return filled;
  }

  /** The workflow with the job's settings and pictures in it. */
  async graphOf(job: GenerateJob, workflow: Workflow, signal: AbortSignal): Promise<Graph> {
    const { request, repair } = job;
    const parts: Parts = { filenamePrefix: filenamePrefix(job), repairs: repair !== undefined };
    if (repair) parts.initImage = await this.#uploads.bytes(repair.candidate, '.png', signal);
    else if (request.init_image !== undefined) {
      parts.initImage = await this.#uploads.file(request.init_image, signal);
    }
    if (request.mask !== undefined && workflow.bindings.mask !== undefined) {
      parts.mask = await this.#uploads.file(request.mask, signal);
    }
    const { graph, lacks } = await this.fill(request, workflow, parts, signal);
    const [lack] = lacks;
    if (lack?.what === 'input') {
      throw this.#error(
        `${workflow.path} has no input that takes ${lack.asked}.${didYouMean(lack.near)} Say which one it is under bindings, or leave ${lack.asked} out.`,
      );
    }
    if (lack !== undefined) throw this.#error(`has ${describeLacks([lack])}.`);
    await this.#chooseCheckpoint(graph, workflow, signal);
    return graph;
  }

  /** An empty checkpoint means whichever the server has. */
  async #chooseCheckpoint(graph: Graph, workflow: Workflow, signal: AbortSignal): Promise<void> {
    for (const { node: id, input } of workflow.bindings.checkpoint ?? []) {
      const node = graph[id];
      if (node?.inputs[input] !== '') continue;
      const [first] = (await this.#lists.choices(node.class_type, input, signal)) ?? [];
      if (first === undefined) throw this.#error(`has no checkpoint for ${nodeName(graph, id)}.`);
      node.inputs[input] = first;
    }
  }

  async #repairWorkflow(repair: Repair): Promise<Workflow> {
    if (repair.with !== 'workflow') {
      throw this.#error('is a ComfyUI server and has no ADetailer: repair with a workflow there.');
    }
    try {
      return await readRepair(repair, this.#readFile, this.#keepImages);
    } catch (error) {
      if (error instanceof ConfigError) throw this.#error(error.message);
      throw error;
    }
  }

  #error(message: string): BackendError {
    return new BackendError(message, { backend: this.#name, fault: 'request' });
  }
}
