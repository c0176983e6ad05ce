import { checkRepair, type Backend, type ReadFile, type ServerInfo } from '../backends/index.js';
import type { Classifier } from '../classifier/index.js';
import { BackendError, ConfigError, toError } from '../errors.js';
import { repairsIn } from '../loop/index.js';
import type { BackendConfig, Pipeline } from '../pipeline/index.js';
import { connect, placeOf, type ServerPlace } from './connect.js';
import { gateKey, openModels, refuseVainRules } from './gate.js';
import type { Judges } from './judges.js';
import { opening, type Releasers } from './releasers.js';
import type { RunFiles } from './run-files.js';

/** A server of a pipeline, connected to and asked once. */
export interface Server extends ServerPlace {
  backend: Backend;
  config: BackendConfig;
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
    for (const repair of repairsIn(pipeline.retry.ladder)) await checkRepair(repair, files.read);
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
  return { backend, config, ...(await placeOf(config, read)) };
}

async function ask(server: Server, signal: AbortSignal): Promise<Server> {
  try {
    return { ...server, info: await server.backend.probe(signal) };
  } catch (error) {
    if (!(error instanceof BackendError)) throw toError(error);
    return { ...server, problem: error };
  }
}
