import path from 'node:path';
import { stringify } from 'yaml';
import { ConfigError, registerSecret } from '../errors.js';
import type { GateRule, ImageRequest, Json, RetryPolicy } from '../loop/index.js';
import type { BackendConfig } from './backends.js';
import { unquotedChanges } from './changes.js';
import { checkPipeline } from './check.js';
import type { Environment } from './environment.js';
import { explain, keyName } from './explain.js';
import { interpolate } from './interpolate.js';
import { hideLiterals, type Literals } from './literals.js';
import { parseYaml, spotAt, toJson, type Located, type Path } from './located.js';
import { applySet, readMerged } from './merge.js';
import { resolvePaths } from './paths.js';
import { ruleOf, rungOf } from './policy.js';
import { configError, displayPath, type Problem } from './problems.js';
import { schema, type Settled } from './schema.js';

/** A pipeline file, read, checked and with every default put in. Paths are absolute. */
export interface Pipeline {
  file: string;
  /** The file's folder. */
  dir: string;
  /**
   * What was written, `extends` merged and `--set` put in, before environment variables: their secrets are not in it, and
   * variables stand for passwords that were written there.
   */
  raw: Json;
  /** Those passwords. */
  literals: Literals;
  /** The keys that `--set` gave: the file says otherwise there. */
  set: string[];
  /** What prompts, `a1111` and `comfyui` take from the environment: put in when a request is sent. */
  environment: Environment;
  name: string;
  seed?: number;
  backends: BackendConfig[];
  /** Settings of every prompt that does not say otherwise. */
  generate: Generate;
  prompts: Settled['prompts'];
  wildcards?: string;
  /** Folders, beside its own, from which rows of prompt files may take pictures. */
  pictures: string[];
  gate: { models: Models; combine: 'mean' | 'max'; dtype?: Dtype; device?: Device; rules: GateRule[] };
  retry: RetryPolicy;
  output: { dir: string; filename: string; keep_rejected: boolean | 'thumbnails' };
}

export type Generate = Omit<ImageRequest, 'prompt' | 'seed' | 'adjust'> & { seed?: number };
type Models = [string, ...string[]];
type Dtype = NonNullable<Settled['gate']['dtype']>;
type Device = NonNullable<Settled['gate']['device']>;

/** Reads, merges, checks and completes a pipeline file. Throws one ConfigError with every problem and its place. */
export async function loadPipeline(
  file: string,
  { env, set = [] }: { env: NodeJS.ProcessEnv; set?: readonly string[] },
): Promise<Pipeline> {
  const absolute = path.resolve(file);
  let tree = await readMerged(absolute);
  for (const setting of set) tree = applySet(tree, setting, path.dirname(absolute));
  return compile(tree, absolute, env, { set: set.map(keyOfSet) });
}

const keyOfSet = (setting: string): string => (setting.split('=')[0] ?? '').trim();

/** What a pipeline file says now, as `Pipeline.raw` had it. Throws ConfigError where it cannot be read. */
export async function readRaw(file: string): Promise<Json> {
  return hideLiterals(toJson(await readMerged(file))).raw;
}

/** The passwords that a pipeline file holds now, for `Pipeline.raw` of a recorded run; none where it cannot be read. */
export async function readLiterals(file: string): Promise<Literals> {
  return readMerged(file).then(
    (tree) => hideLiterals(toJson(tree)).literals,
    () => ({}),
  );
}

/**
 * The same from `Pipeline.raw`; `file` is where it once was read, for relative paths. Of a recorded run the files that
 * it names may be gone: it has its own copies.
 */
export function compilePipeline(
  raw: Json,
  {
    file,
    env,
    ...more
  }: { file: string; env: NodeJS.ProcessEnv; isRecorded: boolean; set?: readonly string[] },
): Pipeline {
  return compile(recordedTree(raw, file), path.resolve(file), env, more);
}

function recordedTree(raw: Json, file: string) {
  // An object that stands twice would become an alias, and `--set` would change both.
  const text = stringify(raw, { aliasDuplicateObjects: false });
  return parseYaml({ name: `${displayPath(file)} as it was recorded`, text });
}

/** The keys of a pipeline that count after its run was recorded: what a shot asks for, and where it goes, is settled. */
const changeableLater = ['backends', 'gate', 'retry'];

/** A recorded pipeline with `--set` put in, paths relative to `cwd`. Throws ConfigError for what is settled. */
export function changeRecorded(
  raw: Json,
  { set, cwd, file, env }: { set: readonly string[]; cwd: string; file: string; env: NodeJS.ProcessEnv },
): Pipeline {
  let tree = recordedTree(raw, file);
  for (const setting of set) {
    const key = keyOfSet(setting);
    if (!changeableLater.includes(key.split('.')[0] ?? '') || key === 'retry.run_attempts') {
      throw new ConfigError(
        `${key} is settled since the run was recorded. A retry can change the gate, the ladder (also to adjust settings), on_exhausted and backends: --set gate.reject..., --set retry.ladder=..., --set backends.... Start a new run for anything else.`,
      );
    }
    tree = applySet(tree, setting, path.dirname(file), cwd);
  }
  return compile(tree, file, env, { isRecorded: true, set: set.map(keyOfSet) });
}

function compile(
  tree: Located,
  file: string,
  env: NodeJS.ProcessEnv,
  { isRecorded = false, set = [] }: { isRecorded?: boolean; set?: readonly string[] },
): Pipeline {
  const dir = path.dirname(file);
  const raw = toJson(tree);
  registerSecrets(raw);
  const { tree: filled, changed, missing, environment } = interpolate(raw, env);
  registerSecrets(filled);
  const problems: Problem[] = missing.map(({ path: at, name }) => ({
    message: `the environment variable ${name} is not set, and ${keyName(at)} needs it. Set it, or write a default: \${${name}:-...}.`,
    spot: spotAt(tree, at),
  }));
  problems.push(...unquotedChanges(tree));
  const resolved = resolvePaths(filled, dir);
  const parsed = schema.safeParse(resolved);
  const result = parsed.success ? parsed : schema.safeParse(retype(resolved, parsed.error.issues, changed));
  if (!result.success) {
    const unset = new Set(missing.map(({ path: at }) => at.join('.')));
    // Values are quoted as they were written: what a variable holds may be a secret.
    for (const { path: at, message, which } of explain(result.error.issues, raw)) {
      if (!unset.has(at.join('.'))) problems.push({ message, spot: spotAt(tree, at, which) });
    }
  } else {
    for (const { path: at, message } of checkPipeline(result.data, environment, isRecorded))
      problems.push({ message, spot: spotAt(tree, at) });
  }
  if (problems.length > 0 || !result.success) throw configError(problems);
  return shape(result.data, { file, dir, ...hideLiterals(raw), set: [...set], environment });
}

/** Passwords of servers must not show up in any message, not even in one about a mistake beside them. */
function registerSecrets(tree: Json): void {
  for (const backend of listIn(tree, 'backends')) {
    const auth = valueIn(backend, 'auth');
    const url = valueIn(backend, 'url');
    // No URL of ours goes on so: what stands there by mistake may be a token.
    if (typeof url === 'string') registerSecret(/[?#](.*)/.exec(url)?.[1] ?? '');
    if (typeof auth === 'string' && !/^\$\{[^}]*\}$/.test(auth)) {
      registerSecret(auth);
      registerSecret(auth.slice(auth.indexOf(':') + 1));
    }
    const key = valueIn(backend, 'api_key');
    if (typeof key === 'string' && !/^\$\{[^}]*\}$/.test(key)) registerSecret(key);
  }
}

const valueIn = (tree: Json, key: string): Json | undefined =>
  tree !== null && typeof tree === 'object' && !Array.isArray(tree) ? tree[key] : undefined;

const listIn = (tree: Json, key: string): Json[] => {
  const list = valueIn(tree, key);
  return Array.isArray(list) ? list : [];
};

/** Environment variables are text: where the schema wants a number or true, and the text is one, it becomes one. */
function retype(
  tree: Json,
  issues: readonly { code?: string | undefined; path: PropertyKey[] }[],
  changed: ReadonlySet<string>,
): Json {
  const copy = structuredClone(tree);
  for (const issue of issues) {
    const at = issue.path as Path;
    if (!/^invalid_(type|value)$/.test(issue.code ?? '') || !changed.has(at.join('.'))) continue;
    const parent = at
      .slice(0, -1)
      .reduce<Json>((node, key) => (node as Record<string, Json>)[key] ?? null, copy) as Record<string, Json>;
    const key = at.at(-1) ?? '';
    const text = parent[key];
    if (typeof text === 'string' && /^(-?\d+(\.\d+)?|true|false)$/.test(text))
      parent[key] = JSON.parse(text) as Json;
  }
  return copy;
}

function shape(
  settled: Settled,
  from: Pick<Pipeline, 'file' | 'dir' | 'raw' | 'literals' | 'set' | 'environment'>,
): Pipeline {
  const { name, seed, backends, generate, prompts, wildcards, pictures, gate, retry, output } = settled;
  const { reject: rules, model, ...options } = gate;
  return {
    ...from,
    name: name ?? nameOf(from.file),
    ...(seed === undefined ? {} : { seed }),
    backends,
    generate,
    prompts,
    ...(wildcards === undefined ? {} : { wildcards }),
    pictures,
    gate: {
      ...options,
      models: typeof model === 'string' ? [model] : (model as Models),
      rules: rules.map(ruleOf),
    },
    retry: {
      ...retry,
      ladder: retry.ladder.map(rungOf),
    },
    output: { ...output, dir: path.resolve(from.dir, output.dir) },
  };
}

/** `My portraits.yaml` -> `My-portraits`. */
function nameOf(file: string): string {
  const name = path
    .parse(file)
    .name.replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 60);
  return name || 'run';
}
