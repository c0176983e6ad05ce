import { isObject, type JsonObject } from '../http.js';
import { linkOf, type Graph } from './graph.js';
import { checkValue, problem, type Problem } from './literal.js';
import type { NodeType, NodeTypes, Workshop } from './nodes/index.js';
import { Inputs } from './values.js';

export type NodeErrors = Record<
  string,
  { errors: Problem[]; dependent_outputs: string[]; class_type: string }
>;

export type Validated =
  | { ok: true; graph: Graph; outputs: string[]; nodeErrors: NodeErrors }
  | { ok: false; error: ServerError; nodeErrors: NodeErrors };

export interface ServerError {
  type: string;
  message: string;
  details: string;
  extra_info: JsonObject;
}

/** Checks a graph as ComfyUI's execution.py does, and coerces its literals in place. */
export function validatePrompt(
  prompt: Record<string, JsonObject>,
  types: NodeTypes,
  workshop: Workshop,
  targets: readonly string[] | undefined,
): Validated {
  const outputs: string[] = [];
  for (const [id, node] of Object.entries(prompt)) {
    const missing = missingNodeType(id, node, types);
    if (missing !== undefined) return { ok: false, error: missing, nodeErrors: {} };
    const saves = types[String(node['class_type'])]?.saves !== undefined;
    if (saves && (targets === undefined || targets.includes(id))) outputs.push(id);
  }
  if (outputs.length === 0) {
    const error = {
      type: 'prompt_no_outputs',
      message: 'Prompt has no outputs',
      details: '',
      extra_info: {},
    };
    return { ok: false, error, nodeErrors: {} };
  }
  const graph = prompt as unknown as Graph;
  const checker = new Checker(graph, types, workshop);
  const nodeErrors: NodeErrors = {};
  const good: string[] = [];
  const failures: string[] = [];
  for (const id of outputs) {
    const { valid, problems } = checker.checkOutput(id);
    if (valid) {
      good.push(id);
      continue;
    }
    failures.push(...problems.map(({ message, details }) => `${message}: ${details}`));
    for (const [bad, errors] of checker.failures()) {
      const entry = (nodeErrors[bad] ??= {
        errors,
        dependent_outputs: [],
        class_type: graph[bad]?.class_type ?? '',
      });
      entry.dependent_outputs.push(id);
    }
  }
  if (good.length > 0) return { ok: true, graph, outputs: good, nodeErrors };
  const error = {
    type: 'prompt_outputs_failed_validation',
    message: 'Prompt outputs failed validation',
    details: failures.join('\n'),
    extra_info: {},
  };
  return { ok: false, error, nodeErrors };
}

function missingNodeType(id: string, node: JsonObject, types: NodeTypes): ServerError | undefined {
  const name = node['class_type'];
  const meta = node['_meta'];
  const title = isObject(meta) && typeof meta['title'] === 'string' ? meta['title'] : undefined;
  const error = (message: string, nodeTitle: string | undefined): ServerError => ({
    type: 'missing_node_type',
    message,
    details: `Node ID '#${id}'`,
    extra_info: { node_id: id, class_type: name ?? null, node_title: nodeTitle ?? null },
  });
  if (typeof name !== 'string') {
    const what = title ?? `ID #${id}`;
    return error(
      `Node '${what}' has no class_type. The workflow may be corrupted or a custom node is missing.`,
      title,
    );
  }
  if (types[name] !== undefined) return undefined;
  return error(`Node '${title ?? name}' not found. The custom node may not be installed.`, title ?? name);
}

interface Result {
  valid: boolean;
  problems: Problem[];
}

class Checker {
  readonly #results = new Map<string, Result>();

  readonly #graph: Graph;
  readonly #types: NodeTypes;
  readonly #workshop: Workshop;

  constructor(graph: Graph, types: NodeTypes, workshop: Workshop) {
    this.#graph = graph;
    this.#types = types;
    this.#workshop = workshop;
  }

  failures(): [string, Problem[]][] {
    return [...this.#results].flatMap(([id, { valid, problems }]) =>
      valid || problems.length === 0 ? [] : [[id, problems] as [string, Problem[]]],
    );
  }

  checkOutput(id: string): Result {
    try {
      return this.#check(id, []);
    } catch (error) {
      const result = {
        valid: false,
        problems: [exception('exception_during_validation', 'Exception when validating node', error)],
      };
      this.#results.set(id, result);
      return result;
    }
  }

  #check(id: string, visiting: string[]): Result {
    const known = this.#results.get(id);
    if (known !== undefined) return known;
    if (visiting.includes(id)) return this.#cycle(id, visiting);
    const node = this.#graph[id];
    const type = node && this.#types[node.class_type];
    if (node === undefined || type === undefined) throw new KeyError(id);
    const problems: Problem[] = [];
    let valid = true;
    for (const [name, spec] of Object.entries({ ...type.required, ...type.optional })) {
      const value = node.inputs[name];
      if (value === undefined) {
        if (name in type.required) {
          problems.push(
            problem('required_input_missing', 'Required input is missing', name, { input_name: name }),
          );
        }
      } else if (Array.isArray(value)) {
        const found = this.#checkLink(id, name, spec, value, visiting);
        if (found === 'upstream') valid = false;
        else if (found !== undefined) problems.push(found);
      } else {
        const checked = checkValue(name, spec, value, type.refuses !== undefined && name === 'image');
        if ('problem' in checked) problems.push(checked.problem);
        else node.inputs[name] = checked.value;
      }
    }
    problems.push(...this.#refusal(type, node.inputs));
    // A cycle that was found below may have left a result here already.
    const before = this.#results.get(id);
    const result = {
      valid: valid && problems.length === 0 && before?.valid !== false,
      problems: [...(before?.problems ?? []), ...problems],
    };
    this.#results.set(id, result);
    return result;
  }

  #refusal(type: NodeType, inputs: JsonObject): Problem[] {
    const reason = type.refuses?.(new Inputs(inputs), this.#workshop);
    if (reason === undefined) return [];
    const [name, words] = reason;
    const details = `${name} - ${words}`;
    return [
      problem('custom_validation_failed', 'Custom validation failed for node', details, { input_name: name }),
    ];
  }

  #checkLink(
    id: string,
    name: string,
    spec: readonly unknown[],
    value: unknown[],
    visiting: string[],
  ): Problem | 'upstream' | undefined {
    const link = linkOf(value);
    if (link === undefined) {
      const message = 'Bad linked input, must be a length-2 list of [node_id, slot_index]';
      return problem('bad_linked_input', message, name, {
        input_name: name,
        input_config: spec,
        received_value: value,
      });
    }
    const [from, slot] = link;
    const source = this.#graph[from];
    if (source === undefined) throw new KeyError(from);
    const received = this.#types[source.class_type]?.output[slot];
    if (received === undefined) throw new IndexError('tuple index out of range');
    const wanted = spec[0];
    if (received !== wanted) {
      const details = `${name}, received_type(${received}) mismatch input_type(${String(wanted)})`;
      return problem('return_type_mismatch', 'Return type mismatch between linked nodes', details, {
        input_name: name,
        input_config: spec,
        received_type: received,
        linked_node: value,
      });
    }
    try {
      return this.#check(from, [...visiting, id]).valid ? undefined : 'upstream';
    } catch (error) {
      const found = exception(
        'exception_during_inner_validation',
        'Exception when validating inner node',
        error,
      );
      Object.assign(found.extra_info, { input_name: name, input_config: spec, linked_node: value });
      this.#results.set(from, { valid: false, problems: [found] });
      return 'upstream';
    }
  }

  #cycle(id: string, visiting: string[]): Result {
    const path = [...visiting.slice(visiting.indexOf(id)), id];
    const details = path.map((each) => `${each} (${this.#graph[each]?.class_type ?? ''})`).join(' -> ');
    const nodes = [...new Set(path)];
    for (const node of nodes) {
      const found = problem('dependency_cycle', 'Dependency cycle detected', details, {
        node_id: node,
        cycle_nodes: nodes,
      });
      this.#results.set(node, { valid: false, problems: [found] });
    }
    return this.#results.get(id) ?? { valid: false, problems: [] };
  }
}

/** Python's: its text is the key in quotes. */
class KeyError extends Error {
  override readonly name = 'KeyError';

  constructor(key: string) {
    super(`'${key}'`);
  }
}

class IndexError extends Error {
  override readonly name = 'IndexError';
}

function exception(type: string, message: string, thrown: unknown): Problem {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return problem(type, message, error.message, {
    exception_message: error.message,
    exception_type: error.name,
    traceback: ['  File "execution.py", line 902, in validate_inputs\n'],
  });
}
