import { readFile } from 'node:fs/promises';
import { createBackend, readWorkflowFile, type Backend, type ReadFile } from '../backends/index.js';
import type { BackendConfig } from '../pipeline/index.js';
import { startSketchServer } from '../../sketch/index.js';
import { Releasers } from './releasers.js';

/** Whether the server is started by reroll itself, for one run: nobody else names it, and it ends with its process. */
export function isOwn({ kind }: Pick<BackendConfig, 'kind'>): boolean {
  return kind === 'sketch';
}

/**
 * The backend of a pipeline's entry, until it is released; `kind: sketch` starts its server in this process. `read`: how
 * the files that it names are read; default: as they are now.
 */
export async function connect(
  config: BackendConfig,
  releasers: Releasers,
  read: ReadFile = readFile,
): Promise<Backend> {
  const backend = await create(config, releasers, read);
  releasers.add(() => backend.close());
  return backend;
}

async function create(config: BackendConfig, releasers: Releasers, read: ReadFile): Promise<Backend> {
  switch (config.kind) {
    case 'sketch': {
      const server = await startSketchServer({
        protocol: config.protocol,
        latencyMs: config.latency,
        badRate: config.bad_rate,
        failRate: config.fail,
        ...(config.checkpoints && { checkpoints: config.checkpoints }),
        reloadMs: config.reload,
      });
      releasers.add(() => server.close());
      return createBackend({ kind: config.protocol, name: config.name, url: server.url, readFile: read });
    }
    case 'comfyui': {
      const workflow = await readWorkflowFile(config.workflow, read);
      return createBackend({
        ...config,
        stallMs: config.stall,
        workflow,
        readFile: read,
        keepImages: config.keep_images,
        ...(config.api_key !== undefined && { apiKey: config.api_key }),
      });
    }
    case 'a1111':
      return createBackend({ ...config, stallMs: config.stall, readFile: read });
  }
}

/** The backend of a pipeline's entry for questions that ask no server; nothing is started. */
export async function unconnected(config: BackendConfig): Promise<Backend> {
  if (config.kind !== 'sketch') return create(config, new Releasers(), readFile);
  return createBackend({ kind: config.protocol, name: config.name, url: 'http://127.0.0.1' });
}
