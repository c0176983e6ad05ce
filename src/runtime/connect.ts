import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createBackend, readWorkflowFile, type Backend, type ReadFile } from '../backends/index.js';
import type { BackendKind, Of } from '../loop/index.js';
import { addressOf } from '../net/index.js';
import type { BackendConfig } from '../pipeline/index.js';
import { startSketchServer } from '../../sketch/index.js';
import { Releasers } from './releasers.js';

/** What tells servers apart that several runs name. */
export interface ServerPlace {
  address: string;
  /** What decides how it serves a request, beside its address. */
  manner: string;
}

/** How an entry of a pipeline becomes a backend. */
interface Way<Config> {
  create(config: Config, releasers: Releasers, read: ReadFile): Promise<Backend>;
  /** For questions that ask no server: nothing is started. */
  unconnected(config: Config): Promise<Backend>;
  placeOf(config: Config, read: ReadFile): Promise<ServerPlace>;
}

const a1111: Way<Of<BackendConfig, 'a1111'>> = {
  create: async (config, _, read) => createBackend({ ...config, stallMs: config.stall, readFile: read }),
  unconnected: (config) => a1111.create(config, new Releasers(), readFile),
  placeOf: async ({ kind, url }) => ({ address: addressOf(url), manner: kind }),
};

const comfyui: Way<Of<BackendConfig, 'comfyui'>> = {
  create: async (config, _, read) =>
    createBackend({
      ...config,
      stallMs: config.stall,
      workflow: await readWorkflowFile(config.workflow, read),
      readFile: read,
      keepImages: config.keep_images,
      ...(config.api_key !== undefined && { apiKey: config.api_key }),
    }),
  unconnected: (config) => comfyui.create(config, new Releasers(), readFile),
  async placeOf({ kind, url, workflow, bindings }, read) {
    const hash = createHash('sha256').update(await read(workflow));
    return { address: addressOf(url), manner: JSON.stringify([kind, hash.digest('hex'), bindings]) };
  },
};

/** A server that is started in this process, for one run alone. */
const sketch: Way<Of<BackendConfig, 'sketch'>> = {
  async create({ name, protocol, checkpoints, ...config }, releasers, read) {
    const server = await startSketchServer({
      protocol,
      latencyMs: config.latency,
      badRate: config.bad_rate,
      failRate: config.fail,
      ...(checkpoints && { checkpoints }),
      reloadMs: config.reload,
    });
    releasers.add(() => server.close());
    return createBackend({ kind: protocol, name, url: server.url, readFile: read });
  },
  unconnected: async ({ name, protocol }) => createBackend({ kind: protocol, name, url: 'http://127.0.0.1' }),
  placeOf: async ({ name }) => ({ address: `sketch/${randomUUID()}`, manner: name }),
};

const ways: { [Kind in BackendKind | 'sketch']: Way<Of<BackendConfig, Kind>> } = { a1111, comfyui, sketch };

const wayOf = ({ kind }: BackendConfig) => ways[kind] as Way<BackendConfig>;

/**
 * The backend of a pipeline's entry, until it is released. `read`: how the files that it names are read; default: as they
 * are now.
 */
export async function connect(
  config: BackendConfig,
  releasers: Releasers,
  read: ReadFile = readFile,
): Promise<Backend> {
  const backend = await wayOf(config).create(config, releasers, read);
  releasers.add(() => backend.close());
  return backend;
}

export const unconnected = (config: BackendConfig): Promise<Backend> => wayOf(config).unconnected(config);

export const placeOf = (config: BackendConfig, read: ReadFile): Promise<ServerPlace> =>
  wayOf(config).placeOf(config, read);

/** Whether the server is started by reroll itself, for one run: nobody else names it, and it ends with its process. */
export const isOwn = ({ kind }: Pick<BackendConfig, 'kind'>): boolean => kind === 'sketch';
