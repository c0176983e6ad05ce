import { createHash, randomUUID } from 'node:crypto';
import { checkRepair, type Backend, type ReadFile, type ServerInfo } from '../backends/index.js';
import type { Classifier } from '../classifier/index.js';
import { BackendError, ConfigError, toError } from '../errors.js';
import { addressOf } from '../net/index.js';
import type { BackendConfig, Pipeline } from '../pipeline/index.js';
import { connect } from './connect.js';
import { gateKey, openModels, refuseVainRules } from './gate.js';
import type { Judges } from './judges.js';
import { opening, type Releasers } from './releasers.js';
import type { RunFiles } from './run-files.js';

/** A server of a pipeline, connected to and asked once. */
export interface Server {
  backend: Backend;
  config: BackendConfig;
  address: string;
  /** What decides how it serves a request, beside its address. */
  manner: string;
  info?: ServerInfo;
  /** Why it cannot be used now. */
  problem?: BackendError;
}

/** All that a run needs beside its record: a pipeline that cannot run leaves no run behind. */
export interface Prepared {
  pipeline: Pipeline;
  servers: Server[];
  judge: { key: string; classifier?: Classifier };
  release(): Promise<void>;
}

export interface PrepareOptions {
  /** What its pipeline names. */
  files: RunFiles;
  /** Where this process judges. */
  judges?: Judges;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  /** Opens the gate's models. */
  openClassifier?: (pipeline: Pipeline, env: NodeJS.ProcessEnv) => Promise<Classifier>;
}

/**
 * Opens the gate's models and connects to every backend. One that is down is asked again later; ConfigError if none can
 * be used now, or a workflow is unusable.
 */
export function prepare(pipeline: Pipeline, options: PrepareOptions): Promise<Prepared> {
  const { files, judges, env, signal, openClassifier = openModelsOf } = options;
  return opening(async (releasers) => {
    for (const rung of pipeline.retry.ladder)
      if ('repair' in rung) await checkRepair(rung.repair, files.read);
    const key = await gateKey(pipeline);
    const classifier = await judges?.use(key, () => openClassifier(pipeline, env));
    if (classifier) {
      releasers.add(() => judges?.release(key));
      refuseVainRules(pipeline.gate, classifier);
    }
    const servers = await Promise.all(
      pipeline.backends.map(async (config) => ask(await reach(config, releasers, files.read), signal)),
    );
    signal.throwIfAborted();
    if (servers.every(({ problem }) => problem)) {
      const list = servers.map(({ problem }) => `  ${problem?.message ?? ''}`).join('\n');
      throw new ConfigError(
        `no backend can be used:\n${list}\nStart a server or correct its entry under backends; \`reroll doctor\` checks them.`,
      );
    }
    return {
      pipeline,
      servers,
      judge: { key, ...(classifier && { classifier }) },
      release: () => releasers.close(),
    };
  });
}

const openModelsOf = ({ gate, dir }: Pipeline, env: NodeJS.ProcessEnv) => openModels(gate, dir, env);

async function reach(config: BackendConfig, releasers: Releasers, read: ReadFile): Promise<Server> {
  const backend = await connect(config, releasers, read);
  switch (config.kind) {
    // Started for this run alone.
    case 'sketch':
      return { backend, config, address: `sketch/${randomUUID()}`, manner: config.name };
    case 'a1111':
      return { backend, config, address: addressOf(config.url), manner: config.kind };
    case 'comfyui': {
      const workflow = createHash('sha256').update(await read(config.workflow));
      const manner = JSON.stringify([config.kind, workflow.digest('hex'), config.bindings]);
      return { backend, config, address: addressOf(config.url), manner };
    }
  }
}

async function ask(server: Server, signal: AbortSignal): Promise<Server> {
  try {
    return { ...server, info: await server.backend.probe(signal) };
  } catch (error) {
    if (!(error instanceof BackendError)) throw toError(error);
    return { ...server, problem: error };
  }
}
