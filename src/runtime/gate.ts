import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  ensemble,
  openClassifier,
  type Classifier,
  type ClassifierOptions,
  type Combine,
} from '../classifier/index.js';
import { demoModel } from '../base/packaged.js';
import { ConfigError } from '../errors.js';
import { constantRules, idleRules, type GateRule } from '../loop/index.js';
import { refuseDisagreeing, resolveModel } from '../models/index.js';
import { opening } from './releasers.js';

/** Which models judge, and how: each a folder or a Hub repository that was pulled. */
interface ModelChoice extends Omit<ClassifierOptions, 'model'> {
  models: readonly [string, ...string[]];
  combine: Combine;
}

interface Gate extends ModelChoice {
  rules: GateRule[];
}

/** Opens the gate's models, and refuses rules that none of their labels can ever fire. */
export function openGate(
  { gate, dir }: { gate: Gate; dir: string },
  env: NodeJS.ProcessEnv,
): Promise<Classifier> {
  return opening(async (releasers) => {
    const classifier = await openModels(gate, dir, env);
    releasers.add(() => classifier.close());
    refuseVainRules(gate, classifier);
    return classifier;
  });
}

/** ConfigError where a model's labels can never fire a rule, or always do. */
export function refuseVainRules(
  { models, rules }: Pick<Gate, 'models' | 'rules'>,
  { labels }: Pick<Classifier, 'labels'>,
): void {
  if (constantRules(rules, labels).length > 0) {
    throw new ConfigError(
      `gate.reject: ${labels.join()} is the only label of ${models.join(', ')}, and so always on top: ` +
        'the rule would reject every image. Give it a `threshold` above 0 in place of `when: top`.',
    );
  }
  const idle = idleRules(rules, labels);
  if (idle.length === 0) return;
  const names = idle.map((rule) => rule.labels.join(', ')).join('; ');
  throw new ConfigError(
    `gate.reject: no label of ${models.join(', ')} matches ${names}. Its labels are ${labels.join(', ')}.`,
  );
}

/** Equal for gates whose images the same opened models can score. */
export async function gateKey({ gate, dir }: { gate: Gate; dir: string }): Promise<string> {
  const { models, combine, dtype, device } = gate;
  const places = models.map(async (name) =>
    (await isFolder(resolve(dir, name))) ? resolve(dir, name) : name,
  );
  return JSON.stringify([await Promise.all(places), combine, dtype, device]);
}

/** Opens several models as one classifier. Throws ModelError, and ConfigError where their labels differ. */
export function openModels(
  { models, combine, ...options }: ModelChoice,
  dir: string,
  env: NodeJS.ProcessEnv,
): Promise<Classifier> {
  return opening(async (releasers) => {
    const open = async (name: string) => {
      const model = await modelFolder(name, dir, env);
      if (options.dtype) await refuseDisagreeing(model, options.dtype);
      const classifier = await openClassifier({ ...options, model });
      releasers.add(() => classifier.close());
      return classifier;
    };
    const members: [Classifier, ...Classifier[]] = [await open(models[0])];
    for (const name of models.slice(1)) members.push(await open(name));
    return ensemble(members, combine);
  });
}

/** The folder of a model: a folder beside the pipeline, a Hub repository that was pulled before, or the demo's. */
export async function modelFolder(name: string, baseDir: string, env: NodeJS.ProcessEnv): Promise<string> {
  if (name === demoModel) return resolveModel(name, { env });
  const folder = resolve(baseDir, name);
  return (await isFolder(folder)) ? folder : resolveModel(name, { env });
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
}
