import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { openClassifier, type Classifier } from '../classifier/index.js';
import { ConfigError } from '../errors.js';
import { idleRules } from '../loop/index.js';
import { refuseDisagreeing, resolveModel } from '../models/index.js';
import type { Pipeline } from '../pipeline/index.js';

/** Opens the gate's model, and refuses rules that none of its labels can ever fire. */
export async function openGate({ gate, dir }: Pipeline, env: NodeJS.ProcessEnv): Promise<Classifier> {
  const model = await modelFolder(gate.model, dir, env);
  if (gate.dtype) await refuseDisagreeing(model, gate.dtype);
  const classifier = await openClassifier({
    model,
    ...(gate.dtype && { dtype: gate.dtype }),
    ...(gate.device && { device: gate.device }),
  });
  const idle = idleRules(gate.rules, classifier.labels);
  if (idle.length === 0) return classifier;
  await classifier.close();
  const names = idle.map(({ labels }) => labels.join(', ')).join('; ');
  throw new ConfigError(
    `gate.reject: no label of ${gate.model} matches ${names}. Its labels are ${classifier.labels.join(', ')}.`,
  );
}

/** The folder of a model: a folder beside the pipeline, or a Hub repository that was pulled before. */
export async function modelFolder(name: string, baseDir: string, env: NodeJS.ProcessEnv): Promise<string> {
  const folder = resolve(baseDir, name);
  const isFolder = await stat(folder).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  return isFolder ? folder : resolveModel(name, { env });
}
