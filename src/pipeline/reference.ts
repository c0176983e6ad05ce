import { z } from 'zod';
import { filenameFields } from './filename.js';
import { prose } from './reference-prose.js';
import { schema } from './schema.js';

type Node = z.core.JSONSchema.BaseSchema;

/** The JSON schema of a pipeline file, as text: editors check and complete by it. */
export function jsonSchema(): string {
  // A file may leave to another what a whole pipeline needs: see `extends`.
  const part = { ...z.toJSONSchema(schema, { io: 'input' }) };
  delete part.required;
  return `${JSON.stringify({ title: 'A reroll pipeline', ...part }, null, 2)}\n`;
}

/** docs/pipeline.md: every key with its type, default, meaning and an example, straight from the schema. */
export function referencePage(): string {
  const root = z.toJSONSchema(schema, { io: 'input' });
  const at = (...path: string[]): Node => path.reduce<Node>((node, key) => child(node, key), root);
  const settings = Object.keys(at('generate').properties ?? {});
  return `${[
    prose.top,
    '## The keys of the file',
    table(root),
    '## backends',
    prose.backends,
    ...choices(at('backends', '[]')).flatMap((kind) => [`### kind: ${constOf(kind, 'kind')}`, table(kind)]),
    '## generate',
    prose.generate,
    table(at('generate')),
    '### hires',
    table(at('generate', 'hires')),
    '## prompts',
    prose.prompts,
    table(at('prompts', '[]'), settings),
    prose.afterPrompts,
    '## gate',
    table(at('gate')),
    '### reject',
    prose.reject,
    table(at('gate', 'reject', '[]')),
    '## retry',
    table(at('retry')),
    '### ladder',
    prose.ladder,
    table(at('retry', 'ladder', '[]')),
    '### adjust',
    prose.adjust,
    table(at('retry', 'ladder', '[]', 'adjust'), settings),
    '### repair',
    ...choices(at('retry', 'ladder', '[]', 'repair')).flatMap((kind) => [
      `#### with: ${constOf(kind, 'with')}`,
      table(kind),
    ]),
    '## output',
    table(at('output')),
    '### File names',
    prose.filenames,
    Object.entries(filenameFields)
      .map(([name, meaning]) => `- \`{{${name}}}\`: ${meaning}`)
      .join('\n'),
    prose.end,
  ].join('\n\n')}\n`;
}

/** One step down: a key of a mapping, or with `[]` what a list holds. Of several forms the one that has it. */
function child(node: Node, key: string): Node {
  const found = [node, ...choices(node)]
    .map((form) => (key === '[]' ? form.items : form.properties?.[key]))
    .find((below) => typeof below === 'object');
  if (typeof found !== 'object' || Array.isArray(found)) throw new Error(`the schema has no ${key} here`);
  return found;
}

const choices = (node: Node): Node[] =>
  [...(node.anyOf ?? []), ...(node.oneOf ?? [])].filter((form) => typeof form === 'object');

const constOf = (node: Node, key: string): string => String(child(node, key).const);

/** A row for each key; `left` keys are described elsewhere. */
function table(node: Node, left: readonly string[] = []): string {
  const form = [node, ...choices(node)].find(({ properties }) => properties);
  const rows = Object.entries(form?.properties ?? {})
    .filter(([key]) => !left.includes(key))
    .map(([key, value]) => {
      const about = value as Node;
      const fallback = form?.required?.includes(key) ? 'needed' : defaultOf(about);
      return `| \`${key}\` | ${typeOf(about)} | ${fallback} | ${about.description ?? ''} | ${exampleOf(key, about)} |`;
    });
  return [
    '| key | type | default | meaning | example |',
    '|---|---|---|---|---|',
    ...rows.map(escapePipes),
  ].join('\n');
}

/** The cells' own `|` would end them. */
const escapePipes = (row: string): string => row.replace(/(?<=\S)\|(?=\S)/g, '\\|');

function typeOf(node: Node): string {
  if (node.const !== undefined) return `\`${String(node.const)}\``;
  if (node.enum) return node.enum.map((value) => `\`${String(value)}\``).join(', ');
  const forms = choices(node);
  if (forms.length > 0) return [...new Set(forms.map(typeOf))].join(' or ');
  if (node.type === 'array')
    return `list of ${typeof node.items === 'object' ? typeOf(node.items as Node).replace(/^a /, '') : 'values'}`;
  const names: Readonly<Record<string, string>> = {
    integer: 'whole number',
    string: 'text',
    boolean: 'true or false',
    object: 'mapping',
  };
  return `${names[String(node.type)] ?? String(node.type ?? 'any value')}${rangeOf(node)}`;
}

function rangeOf({ minimum, maximum, multipleOf }: Node): string {
  if (minimum === undefined || maximum === undefined || maximum === Number.MAX_SAFE_INTEGER) return '';
  return ` ${minimum} to ${maximum}${multipleOf === undefined ? '' : `, by ${multipleOf}`}`;
}

function defaultOf({ default: value }: Node): string {
  if (value === undefined || (typeof value === 'object' && !Array.isArray(value))) return '';
  return `\`${JSON.stringify(value)}\``;
}

function exampleOf(key: string, { examples, const: only }: Node): string {
  const example: unknown = examples?.[0] ?? only;
  return example === undefined ? '' : `\`${key}: ${inline(example)}\``;
}

/** A value as one would write it on one line of YAML. */
function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(
      ([key, below]) => `${/^\w+$/.test(key) ? key : `"${key}"`}: ${inline(below)}`,
    );
    return `{ ${entries.join(', ')} }`;
  }
  return typeof value === 'string' && !/^[A-Za-z./][\w ./:-]*\w$/.test(value) ? `"${value}"` : String(value);
}
