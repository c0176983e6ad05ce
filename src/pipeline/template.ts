import { ConfigError } from '../errors.js';
import {
  badWeight,
  braceAdvice,
  flagAdvice,
  flagsIn,
  foreignChoice,
  plainBraces,
  variableAdvice,
} from './foreign.js';
import { quote } from './problems.js';
import { wildcardAt } from './wildcard-name.js';

/**
 * A prompt's text, taken apart once and rendered for every shot.
 *
 *   {a|b|c}     one of them          {2::a|b}    a twice as often
 *   __name__    a wildcard's line    \{ \} \_ \| \--   the characters themselves
 *   ${NAME}     stays, where the pipeline takes NAME from the environment
 *
 * What looks like another program's grammar is refused. JSON's braces and {prompt} stay, with a note. Everything else
 * is the server's and passes untouched: (x:1.2), [a:b:0.5], \(, <lora:name:0.8>.
 */
export interface Template {
  parts: Part[];
  /** The wildcards that it names. */
  wildcards: WildcardPart[];
  /** What looks like grammar and stays as it is, in words. */
  notes: string[];
}

export type Part = string | Choice | WildcardPart | VariablePart;

/** What to choose from. `upTo` are the weights added up, so that choosing from 10,000 lines takes 14 steps. */
export interface Choice {
  options: Option[];
  upTo: number[];
}

export interface Option {
  weight: number;
  parts: Part[];
}

export interface WildcardPart {
  wildcard: string;
  /**
   * Where there is no such file. Inside `<lora:my__file__name:1>` it is part of the file's name: nothing is said.
   * Where it stands in the middle of words it may be meant so: a note.
   */
  missing: 'error' | 'note' | 'nothing';
}

/** An environment variable: it stays `${NAME}` until the request is sent. */
export interface VariablePart {
  variable: string;
}

export function choiceOf(options: Option[]): Choice {
  let sum = 0;
  return { options, upTo: options.map(({ weight }) => (sum += weight)) };
}

const deepest = 50;
const mostWeight = 1e9;
/** Of a `<lora:...>`, in letters. */
const longestTag = 1000;

/** Letters that mean nothing here. */
const plainRun = /[^\\{}|_[\]$]+/y;
const weightPrefix = /\s*(\d+(?:\.\d*)?|\.\d+)\s*::/y;
const noNames: ReadonlySet<string> = new Set();

/**
 * Throws ConfigError for braces that do not match or mean nothing, weights that are none, and the grammar of other
 * programs. `environment`: the variables that the pipeline takes from the environment.
 */
export function parseTemplate(text: string, environment = noNames): Template {
  return new Parser(text, environment).parse();
}

/** The option that one line of a wildcard file stands for: `2::red` is twice as likely. */
export function parseLine(line: string, environment = noNames): Template & { option: Option } {
  weightPrefix.lastIndex = 0;
  const match = weightPrefix.exec(line);
  const strange = match ? undefined : badWeight(line, 0);
  const weight = Number(match?.[1] ?? 1);
  if (strange !== undefined || weight > mostWeight)
    throw new ConfigError(`at ${quote(line.slice(0, 40))}: ${strange ?? 'this weight is too large.'}`);
  const template = parseTemplate(match ? line.slice(match[0].length) : line, environment);
  return { ...template, option: { weight, parts: template.parts } };
}

/** Braces that are open: a choice, or the text's own. */
interface Frame {
  isChoice: boolean;
  start: number;
  options: Option[];
  weight: number;
  parts: Part[];
  /** Square brackets that are open: a `|` in them is A1111's alternation. */
  brackets: number;
}

class Parser {
  readonly #wildcards: WildcardPart[] = [];
  readonly #notes = new Set<string>();
  readonly #stack: Frame[] = [];
  readonly #parts: Part[] = [];
  #at = 0;

  readonly #text: string;
  readonly #environment: ReadonlySet<string>;

  constructor(text: string, environment: ReadonlySet<string>) {
    this.#text = text;
    this.#environment = environment;
  }

  parse(): Template {
    for (const { at, sure } of flagsIn(this.#text)) {
      if (sure) throw this.#error(at, flagAdvice);
      this.#note(at, 'looks like an option, and stays in the prompt.');
    }
    const brackets = matchingBrackets(this.#text);
    while (this.#at < this.#text.length) {
      const char = this.#text.charAt(this.#at);
      const frame = this.#stack.at(-1);
      const escaped = char === '\\' ? this.#escaped(frame) : undefined;
      if (escaped !== undefined) this.#take(escaped, escaped.length + 1);
      else if (char === '_' && this.#wildcard()) continue;
      else if (char === '$' && this.#variable()) continue;
      else if (char === '{') this.#open();
      else if (char === '}') this.#close(frame);
      else if (frame?.isChoice && char === '|' && frame.brackets === 0) {
        this.#endOption(frame);
        this.#startOption(frame);
      } else {
        if (frame && brackets.has(this.#at)) frame.brackets += char === '[' ? 1 : -1;
        plainRun.lastIndex = this.#at;
        const run = plainRun.exec(this.#text)?.[0] ?? char;
        this.#take(run);
      }
    }
    const unclosed = this.#stack.at(-1);
    if (unclosed)
      throw this.#error(
        unclosed.start,
        "this '{' is never closed. Close it with '}', or write '\\{' for the brace itself.",
      );
    return { parts: this.#parts, wildcards: this.#wildcards, notes: [...this.#notes] };
  }

  #escaped(frame: Frame | undefined): string | undefined {
    if (this.#text.startsWith('--', this.#at + 1)) return '--';
    const next = this.#text.charAt(this.#at + 1);
    return /^[{}_]$/.test(next) || (next === '|' && frame?.isChoice) ? next : undefined;
  }

  /** Where what comes next belongs: the text's own braces are no place of their own. */
  #here(): Part[] {
    return this.#stack.findLast(({ isChoice }) => isChoice)?.parts ?? this.#parts;
  }

  #take(text: string, length = text.length): void {
    const parts = this.#here();
    const last = parts.at(-1);
    if (typeof last === 'string') parts[parts.length - 1] = last + text;
    else parts.push(text);
    this.#at += length;
  }

  #wildcard(): boolean {
    const found = wildcardAt(this.#text, this.#at);
    if (found === undefined) return false;
    if ('error' in found) throw this.#error(this.#at, found.error);
    const part: WildcardPart = {
      wildcard: found.name,
      missing: this.#insideTag() ? 'nothing' : found.missing,
    };
    this.#here().push(part);
    this.#wildcards.push(part);
    this.#at = found.end;
    return true;
  }

  #variable(): boolean {
    if (this.#text.charAt(this.#at + 1) !== '{') return false;
    const [whole = '', name = ''] =
      /^\$\{(\w{1,1000})\}/.exec(this.#text.slice(this.#at, this.#at + 1010)) ?? [];
    if (!this.#environment.has(name)) throw this.#error(this.#at, variableAdvice);
    this.#here().push({ variable: name });
    this.#at += whole.length;
    return true;
  }

  /** Whether `<lora:` or the like stands before, still open. */
  #insideTag(): boolean {
    const before = this.#text.slice(Math.max(0, this.#at - longestTag), this.#at);
    return /^<\w+:[^<>]*$/.test(before.slice(Math.max(0, before.lastIndexOf('<'))));
  }

  #open(): void {
    if (this.#stack.length === deepest)
      throw this.#error(this.#at, `choices are nested deeper than ${deepest}.`);
    const strange = foreignChoice(this.#text, this.#at);
    if (strange !== undefined) throw this.#error(this.#at, strange);
    const inJson =
      this.#stack.at(-1)?.isChoice === false &&
      /^\{\s{0,100}\}/.test(this.#text.slice(this.#at, this.#at + 102));
    const plain = plainBraces(this.#text, this.#at) ?? (inJson ? 'JSON' : undefined);
    const frame = { start: this.#at, options: [], weight: 1, parts: [], brackets: 0, isChoice: !plain };
    if (plain) {
      const what = plain === 'JSON' ? 'JSON, whose braces stay as they are.' : 'stays as it is.';
      if (this.#stack.length === 0) this.#note(this.#at, what);
      this.#take('{');
      this.#stack.push(frame);
    } else {
      this.#stack.push(frame);
      this.#startOption(frame);
    }
  }

  /** `at` stands on the `{` or `|` before the option. */
  #startOption(frame: Frame): void {
    this.#at += 1;
    weightPrefix.lastIndex = this.#at;
    const match = weightPrefix.exec(this.#text);
    frame.weight = Number(match?.[1] ?? 1);
    const strange = match ? undefined : badWeight(this.#text, this.#at);
    if (strange !== undefined) throw this.#error(this.#at, strange);
    if (frame.weight > mostWeight) throw this.#error(this.#at, 'this weight is too large.');
    if (match) this.#at = weightPrefix.lastIndex;
  }

  #endOption(frame: Frame): void {
    frame.options.push({ weight: frame.weight, parts: frame.parts });
    frame.parts = [];
  }

  #close(frame: Frame | undefined): void {
    if (!frame)
      throw this.#error(
        this.#at,
        "this '}' closes nothing. Take it out, or write '\\}' for the brace itself.",
      );
    if (!frame.isChoice) {
      this.#take('}');
      this.#stack.pop();
      return;
    }
    this.#endOption(frame);
    if (frame.options.length === 1) throw this.#error(frame.start, braceAdvice);
    if (frame.options.every(({ weight }) => weight === 0)) {
      throw this.#error(frame.start, 'all weights are 0, so nothing can be chosen.');
    }
    this.#stack.pop();
    this.#here().push(choiceOf(frame.options));
    this.#at += 1;
  }

  #note(at: number, message: string): void {
    this.#notes.add(`${quote(this.#text.slice(at, at + 40))} ${message}`);
  }

  #error(at: number, message: string): ConfigError {
    return new ConfigError(`at ${quote(this.#text.slice(at, at + 40))}: ${message}`);
  }
}

/** Where square brackets stand that close again before the choice around them does. */
function matchingBrackets(text: string): Set<number> {
  const matched = new Set<number>();
  if (!text.includes('[') || !text.includes('{')) return matched;
  const open: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '\\') at++;
    else if (char === '[' || char === '{') open.push(at);
    else if (char === ']' && text[open.at(-1) ?? -1] === '[') {
      matched.add(open.pop() ?? 0).add(at);
    } else if (char === '}') {
      while (open.length > 0 && text[open.pop() ?? 0] !== '{');
    }
  }
  return matched;
}
