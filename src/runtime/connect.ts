import { createBackend, readWorkflowFile, type Backend } from '../backends/index.js';
import type { BackendConfig } from '../pipeline/index.js';
import { startSketchServer } from '../../sketch/index.js';
import { Releasers } from './releasers.js';

/** Whether the server is started by reroll itself, for one run: nobody else names it, and it ends with its process. */
export function isOwn({ kind }: Pick<BackendConfig, 'kind'>): boolean {
  return kind === 'sketch';
}

/** The backend of a pipeline's entry, until it is released; `kind: sketch` starts its server in this process. */
export async function connect(config: BackendConfig, releasers: Releasers): Promise<Backend> {
  const backend = await create(config, releasers);
  releasers.add(() => backend.close());
  return backend;
}

async function create(config: BackendConfig, releasers: Releasers): Promise<Backend> {
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
      return createBackend({ kind: config.protocol, name: config.name, url: server.url });
    }
    case 'comfyui': {
      const workflow = await readWorkflowFile(config.workflow);
      return createBackend({
        ...config,
        stallMs: config.stall,
        workflow,
        keepImages: config.keep_images,
        ...(config.api_key !== undefined && { apiKey: config.api_key }),
      });
    }
    case 'a1111':
      return createBackend({ ...config, stallMs: config.stall });
  }
}

/** The backend of a pipeline's entry for questions that ask no server; nothing is started. */
export async function unconnected(config: BackendConfig): Promise<Backend> {
  if (config.kind !== 'sketch') return create(config, new Releasers());
  return createBackend({ kind: config.protocol, name: config.name, url: 'http://127.0.0.1' });
}
