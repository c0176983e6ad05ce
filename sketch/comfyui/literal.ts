import { isObject, type JsonObject } from '../http.js';
import type { InputSpec } from './nodes/index.js';

/** One thing that is wrong with a node, as /prompt reports it. */
export interface Problem {
  type: string;
  message: string;
  details: string;
  extra_info: JsonObject;
}

export const problem = (type: string, message: string, details: string, extra_info: JsonObject): Problem => ({
  type,
  message,
  details,
  extra_info,
});

/** Coerces a literal to its input's type and checks its range or its choices. `unlisted`: the node checks choices itself. */
export function checkValue(
  name: string,
  spec: InputSpec,
  given: unknown,
  unlisted: boolean,
): { value: unknown } | { problem: Problem } {
  const [type, options = {}] = spec;
  const value = isObject(given) && '__value__' in given ? given['__value__'] : given;
  const extra = { input_name: name, input_config: spec, received_value: value };
  let coerced: unknown;
  try {
    coerced = typeof type === 'string' ? coerce(value, type) : value;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return {
      problem: problem(
        'invalid_input_type',
        `Failed to convert an input value to a ${String(type)} value`,
        `${name}, ${pythonText(value)}, ${message}`,
        { ...extra, exception_message: message },
      ),
    };
  }
  const { min, max } = options;
  const size = typeof coerced === 'number' || typeof coerced === 'bigint' ? coerced : undefined;
  if (size !== undefined && typeof min === 'number' && size < min) {
    const message = `Value ${size} smaller than min of ${min}`;
    return { problem: problem('value_smaller_than_min', message, name, extra) };
  }
  if (size !== undefined && typeof max === 'number' && size > max) {
    const message = `Value ${size} bigger than max of ${max}`;
    return { problem: problem('value_bigger_than_max', message, name, extra) };
  }
  if (typeof type !== 'string' && !unlisted && !type.includes(String(value))) {
    const list = type.length > 20 ? `(list of length ${type.length})` : `[${type.map(repr).join(', ')}]`;
    const details = `${name}: ${repr(value)} not in ${list}`;
    const input_config = type.length > 20 ? null : spec;
    return {
      problem: problem('value_not_in_list', 'Value not in list', details, { ...extra, input_config }),
    };
  }
  // A whole number beyond 2^53 stays the text that it came as: JSON could not hold it.
  return { value: typeof coerced === 'bigint' ? value : coerced };
}

/** As Python's int(), float(), str() and bool() do. @throws Error in Python's words. */
function coerce(value: unknown, type: string): unknown {
  switch (type) {
    case 'INT':
      if (typeof value === 'number') return Math.trunc(value);
      if (typeof value === 'boolean') return Number(value);
      if (typeof value === 'string' && /^\s*[+-]?\d+\s*$/.test(value)) {
        const big = BigInt(value.trim());
        return Number.isSafeInteger(Number(big)) ? Number(big) : big;
      }
      throw new Error(
        typeof value === 'string'
          ? `invalid literal for int() with base 10: ${repr(value)}`
          : `int() argument must be a string, a bytes-like object or a real number, not '${pythonType(value)}'`,
      );
    case 'FLOAT': {
      const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
      if (typeof number === 'number' && !Number.isNaN(number)) return number;
      if (typeof value === 'string') throw new Error(`could not convert string to float: ${repr(value)}`);
      throw new Error(`float() argument must be a string or a real number, not '${pythonType(value)}'`);
    }
    case 'STRING':
      return pythonText(value);
    case 'BOOLEAN':
      return Boolean(value);
    default:
      return value;
  }
}

function pythonType(value: unknown): string {
  return value === null ? 'NoneType' : isObject(value) ? 'dict' : typeof value;
}

function repr(value: unknown): string {
  return typeof value === 'string' ? `'${value.replaceAll("'", "\\'")}'` : pythonText(value);
}

function pythonText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return JSON.stringify(value);
}
