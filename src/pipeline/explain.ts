import type { z } from 'zod';
import type { Json } from '../loop/index.js';
import type { Path } from './located.js';
import { nearest, suggestion } from '../base/nearest.js';
import { quote } from './problems.js';

/** A zod issue in plain words. */
export interface Explained {
  path: Path;
  message: string;
  /** Whether the key itself is wrong, or its value. */
  which: 'key' | 'value';
}

type Issue = z.core.$ZodIssue;

export function explain(issues: readonly Issue[], root: unknown): Explained[] {
  return withoutConsequences(issues).flatMap((issue) => explainOne(issue, [], root));
}

/** Where a key is misspelt, that its mapping lacks something is no news. */
function withoutConsequences(issues: readonly Issue[]): Issue[] {
  const misspelt = new Set(
    issues.filter(({ code }) => code === 'unrecognized_keys').map(({ path }) => path.join('.')),
  );
  return issues.filter(({ code, path }) => code !== 'custom' || !misspelt.has(path.join('.')));
}

function explainOne(issue: Issue, above: Path, root: unknown): Explained[] {
  const path = [...above, ...issue.path] as Path;
  if (issue.code === 'unrecognized_keys') {
    const known = issue.message.split(' ');
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: `unknown key '${key}'${placeName(path)}. ${hint(key, known, path) ?? suggestion(key, known)}`,
      which: 'key',
    }));
  }
  const value = valueAt(root, path);
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const branch = closest(issue.errors as Issue[][]);
    if (branch) return branch.flatMap((inner) => explainOne(inner, path, root));
    const choices = issue.errors
      .flat()
      .flatMap((inner) => (inner.code === 'invalid_value' ? inner.values.map(String) : []));
    if (typeof value === 'string' && choices.length > 0) return [at(path, unknownWord(path, value, choices))];
    const kinds = issue.errors
      .flat()
      .flatMap((inner) => (inner.code === 'invalid_type' ? [kindName(inner.expected)] : []));
    return [at(path, wrongType(path, [...new Set(kinds)].join(' or '), value))];
  }
  return [at(path, inWords(issue, path, value))];
}

const at = (path: Path, message: string): Explained => ({ path, message, which: 'value' });

/** Of a union's branches the one that the value was meant for: its faults lie inside it, or are about its content. */
function closest(branches: Issue[][]): Issue[] | undefined {
  return branches.find((issues) =>
    issues.every(
      (issue) =>
        issue.path.length > 0 || !['invalid_type', 'invalid_value', 'invalid_union'].includes(issue.code),
    ),
  );
}

function inWords(issue: Issue, path: Path, value: unknown): string {
  const name = keyName(path);
  switch (issue.code) {
    case 'invalid_type':
      if (value === undefined) return `${name} is missing. Add it.`;
      if (typeof value === 'number' && issue.expected === 'int')
        return `${name} is ${value}; it takes a whole number.`;
      return wrongType(path, kindName(issue.expected), value);
    case 'too_small':
      if (issue.origin === 'number' || issue.origin === 'int')
        return `${name} is ${quote(value)}; it takes ${String(issue.minimum)} or more.`;
      return `${name} is empty; it needs at least ${issue.minimum === 1 ? 'one' : String(issue.minimum)}. Add one.`;
    case 'too_big':
      if (issue.origin === 'number' || issue.origin === 'int')
        return `${name} is ${quote(value)}; it takes ${String(issue.maximum)} or less.`;
      return `${name} is too long; it takes at most ${String(issue.maximum)} characters.`;
    case 'not_multiple_of':
      return `${name} is ${quote(value)}; it takes a multiple of ${issue.divisor}${roundings(value, issue.divisor)}.`;
    case 'invalid_value':
      if (value === undefined) return `${name} is missing. Known: ${issue.values.map(String).join(', ')}.`;
      return unknownWord(path, value, issue.values.map(String));
    case 'invalid_union': {
      // A mapping whose kind is told by one key.
      const kinds = 'options' in issue ? (issue.options as unknown[]).map(String) : [];
      if (value === undefined) return `${name} is missing. Known: ${kinds.join(', ')}.`;
      return unknownWord(path, value, kinds);
    }
    case 'invalid_format':
      return `${name} is ${quote(value)}; ${issue.message}`;
    case 'custom':
    case 'invalid_key':
    case 'invalid_element':
    case 'unrecognized_keys':
      return value === undefined || typeof value === 'object'
        ? issue.message
        : `${name} is ${quote(value)}; ${issue.message}`;
  }
}

function unknownWord(path: Path, value: unknown, known: readonly string[]): string {
  const near = typeof value === 'string' ? nearest(value, known) : undefined;
  const meant = near === undefined ? '' : ` Did you mean '${near}'?`;
  const takes = known.length === 1 ? `it takes ${known.join('')}.` : `it takes one of ${known.join(', ')}.`;
  return `${keyName(path)} is ${quote(value)}; ${takes}${meant}`;
}

function wrongType(path: Path, expected: string, value: unknown): string {
  const name = keyName(path);
  if (value === null) return `${name} is empty; give it ${expected}, or leave the key out.`;
  if (typeof value === 'object' && expected === 'a text' && !Array.isArray(value)) {
    return `${name} is a mapping; it takes a text. A text with { or ': ' in it needs quotes around it.`;
  }
  return `${name} is ${actual(value)}; it takes ${expected}.`;
}

function actual(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  return typeof value === 'string' ? `the text ${quote(value)}` : quote(value);
}

const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping (key: value)',
  record: 'a mapping (key: value)',
};

const kindName = (expected: string): string => kinds[expected] ?? expected;

function roundings(value: unknown, divisor: number): string {
  if (typeof value !== 'number') return '';
  const below = Math.floor(value / divisor) * divisor;
  return `: ${below} or ${below + divisor}`;
}

/** `prompts.2.text`: spelled and counted as in `--set prompts.2.text=...`. */
export function keyName(path: Path): string {
  return path.length === 0 ? 'the pipeline' : path.join('.');
}

const placeName = (path: Path): string => (path.length === 0 ? '' : ` in ${keyName(path)}`);

const elsewhere: Readonly<Record<string, string>> = {
  prompt: "A prompt's words stand in 'text'.",
  batch_size: "Say how many images with 'count'.",
  n_iter: "Say how many images with 'count'.",
  size: "Say 'width' and 'height'.",
  '<<': "YAML's merge keys are not read; other files come in by 'extends'.",
};

/** Words of other programs, and keys of our own that belong one level up. */
function hint(key: string, known: readonly string[], path: Path): string | undefined {
  const word = elsewhere[key];
  if (word !== undefined && !known.includes(key)) return word;
  if (path.length === 2 && path[0] === 'prompts' && topLevel.includes(key))
    return `It belongs to the pipeline, not to a prompt.`;
  return undefined;
}

const topLevel = ['backends', 'gate', 'retry', 'output', 'wildcards', 'extends'];

function valueAt(root: unknown, path: Path): unknown {
  let at = root as Json | undefined;
  for (const key of path) at = (at as Record<string, Json> | null | undefined)?.[key];
  return at;
}
