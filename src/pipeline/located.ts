import { isAlias, isMap, isScalar, isSeq, Lexer, parseDocument, type Node, type Scalar } from 'yaml';
import type { Json } from '../loop/index.js';
import { configError, quote, type Problem, type Source, type Spot } from './problems.js';

/** A value of the pipeline together with where it was written, so that every error can show the place. */
export interface Located {
  content: Json | Located[] | Map<string, Located>;
  spot: Spot;
  /** Of a mapping's entry: where its key stands. */
  keySpot?: Spot;
  /** Of a number: its own letters, `+1` and 1 being the same number. */
  written?: string;
}

export type Path = readonly (string | number)[];

/** Deeper than any pipeline is; the parser and all that walks the values call themselves for each level. */
const deepest = 100;
/** A parsed word takes a kilobyte of memory, and four megabytes of text may hold two million. */
const mostWords = 800_000;
/** Aliases written out: few letters may stand for more values than any memory holds. */
const mostValues = 500_000;
/** One slip in the syntax makes the parser stumble many times. */
const firstFaults = 3;

/** Parses YAML. Throws ConfigError with every syntax error and its place. */
export function parseYaml(source: Source): Located {
  try {
    rejectBombs(source);
    // That a key stands twice is found below: here it would be looked for among all before it, for each key.
    const document = parseDocument(source.text, { prettyErrors: false, uniqueKeys: false });
    const faults = [...document.errors, ...document.warnings];
    if (faults.some(({ message }) => message.includes('call stack')))
      throw new RangeError('nested too deeply');
    if (faults.length > 0) {
      throw configError(
        faults.slice(0, firstFaults).map(({ message, pos, code }) => ({
          message: syntaxMessage(source.text, code, message, pos[0]),
          spot: { source, start: pos[0], end: pos[1] },
        })),
      );
    }
    if (!document.contents) return { content: null, spot: { source, start: 0, end: 0 } };
    return new Locator(source).locate(document.contents, []);
  } catch (error) {
    if (error instanceof RangeError) {
      throw configError([{ message: tooDeep, spot: { source, start: 0, end: 1 } }]);
    }
    throw error;
  }
}

function syntaxMessage(text: string, code: string, message: string, offset: number): string {
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1).split('\n', 1)[0] ?? '';
  const what = `not valid YAML: ${message.replace(/\.?$/, '.')}`;
  if (code === 'TAB_AS_INDENT') return 'a tab indents this line. YAML takes spaces only.';
  if (code === 'MULTIPLE_DOCS') return "'---' begins a second document. A pipeline file holds one.";
  if (/[:-]\s+[^'"\s#].*([{[]|: )/.test(line))
    return `${what} A text with { [ or ': ' in it needs quotes around it.`;
  return what;
}

const tooDeep = 'the values are nested too deeply to be read.';

/** Looks at the words alone, which takes no memory, before the parser makes objects of them. */
function rejectBombs(source: Source): void {
  let words = 0;
  let brackets = 0;
  let inLine = 0;
  let at = 0;
  for (const word of new Lexer().lex(source.text)) {
    const spot = { source, start: Math.min(at, source.text.length), end: at + 1 };
    at += word.length;
    if (/^[[{]/.test(word)) brackets++;
    else if (/^[\]}]/.test(word)) brackets--;
    else if (word.startsWith('\n') || word.startsWith('\r')) inLine = 0;
    else if (/^[-?:]$/.test(word)) inLine++;
    // In brackets a colon nests nothing.
    if (brackets > deepest || (brackets === 0 && inLine > deepest))
      throw configError([{ message: tooDeep, spot }]);
    if (++words > mostWords) throw configError([{ message: tooMany, spot }]);
  }
}

const tooMany =
  'these are more values than are read. Put the prompts into a file of their own: prompts: [{ file: prompts.txt }].';

const aliased = 'aliases (*name) multiply here: ';

class Locator {
  /** The last node of each anchor: what an alias behind it means. */
  readonly #anchors = new Map<string, Node>();
  #values = 0;

  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  /** `open` are the nodes around this one: an alias to one of them would never end. */
  locate(node: Node | null, open: readonly Node[]): Located {
    const spot = this.#spotOf(node);
    if (open.length > deepest) throw this.#error(spot, tooDeep);
    if (++this.#values > mostValues)
      throw this.#error(spot, `${this.#anchors.size > 0 ? aliased : ''}${tooMany}`);
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (!target)
        throw this.#error(spot, `there is no anchor &${node.source} before the alias *${node.source}.`);
      if (open.includes(target)) throw this.#error(spot, `the alias *${node.source} contains itself.`);
      return { ...this.locate(target, open), spot };
    }
    if (node?.anchor !== undefined) this.#anchors.set(node.anchor, node);
    const inside = node ? [...open, node] : open;
    if (isSeq(node)) return { content: node.items.map((item) => this.locate(item as Node, inside)), spot };
    if (isMap(node)) {
      const entries = new Map<string, Located>();
      for (const { key, value } of node.items) {
        const keySpot = this.#spotOf(key as Node);
        if (!isScalar(key) || key.value === '__proto__')
          throw this.#error(keySpot, 'a key must be a plain word.');
        const name = String(key.value);
        if (entries.has(name))
          throw this.#error(keySpot, 'this key is written twice in one mapping. Keep one of them.');
        entries.set(name, { ...this.locate(value as Node | null, inside), keySpot });
      }
      return { content: entries, spot };
    }
    const value = isScalar(node) ? node.value : null;
    if (typeof value === 'string' || typeof value === 'boolean' || value === null)
      return { content: value, spot };
    if (typeof value === 'number' && Number.isFinite(value)) {
      return { content: value, spot, written: (node as Scalar).source ?? '' };
    }
    throw this.#error(spot, `${quote(node?.toString() ?? '')} is no number, text, true or false.`);
  }

  #spotOf(node: Node | null | undefined): Spot {
    const [start, end] = node?.range ?? [0, 0];
    return { source: this.#source, start, end };
  }

  #error(spot: Spot, message: string): Error {
    return configError([{ message, spot } satisfies Problem]);
  }
}

/** The value without its places. */
export function toJson({ content }: Located): Json {
  if (content instanceof Map) {
    return Object.fromEntries([...content].map(([key, value]) => [key, toJson(value)]));
  }
  return Array.isArray(content) ? content.map((item) => toJson(item as Located)) : content;
}

/** Where `path` is written; where it is missing, the nearest thing around it that is there. */
export function spotAt(root: Located, path: Path, which: 'key' | 'value' = 'value'): Spot {
  let at = root;
  for (const [depth, step] of path.entries()) {
    const next = childOf(at, step);
    if (!next) return depth === 0 ? startOf(root) : (at.keySpot ?? startOf(at));
    at = next;
  }
  // What an empty value or a whole mapping lacks is best shown at its key.
  const wide = at.content instanceof Map || Array.isArray(at.content) || at.spot.end === at.spot.start;
  return (which === 'key' || wide) && at.keySpot ? at.keySpot : wide ? startOf(at) : at.spot;
}

const startOf = ({ spot }: Located): Spot => ({ ...spot, end: spot.start + 1 });

export function childOf({ content }: Located, step: string | number): Located | undefined {
  if (content instanceof Map) return content.get(String(step));
  return Array.isArray(content) ? (content[Number(step)] as Located | undefined) : undefined;
}
