import { ConfigError } from '../errors.js';
import { quote } from './problems.js';

/**
 * A prompt's text, taken apart once and rendered for every shot.
 *
 *   {a|b|c}     one of them          {2::a|b}    a twice as often
 *   __name__    a wildcard's line    \{ \} \_ \| the characters themselves
 *
 * Everything else is the server's and passes untouched: (x:1.2), [a:b:0.5], \(, <lora:name:0.8>.
 */
export interface Template {
  parts: Part[];
  /** The wildcards that it names. */
  wildcards: WildcardPart[];
}

export type Part = string | Choice | WildcardPart;

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
  /** Inside `<lora:my__file__name:1>` a name that is no wildcard is part of the file's name. */
  optional: boolean;
}

export function choiceOf(options: Option[]): Choice {
  let sum = 0;
  return { options, upTo: options.map(({ weight }) => (sum += weight)) };
}

const DEEPEST = 50;

/** Letters that mean nothing here. */
const plainRun = /[^\\{}|_[\]]+/y;
const weightPrefix = /\s*(\d+(?:\.\d+)?)::/y;
const wildcardName = /__((?:(?!__)[\p{L}\p{N}_\-./*])+)__/uy;

/** Throws ConfigError for braces that do not match and for weights that add up to nothing. */
export function parseTemplate(text: string): Template {
  return new Parser(text).parse();
}

/** The option that one line of a wildcard file stands for: `2::red` is twice as likely. */
export function parseLine(line: string): { option: Option; wildcards: WildcardPart[] } {
  const [, weight, text] = /^\s*(\d+(?:\.\d+)?)::(.*)$/.exec(line) ?? [];
  const { parts, wildcards } = parseTemplate(text ?? line);
  return { option: { weight: Number(weight ?? 1), parts }, wildcards };
}

interface Frame {
  start: number;
  options: Option[];
  weight: number;
  parts: Part[];
  /** Square brackets that are open: a `|` in them is A1111's alternation. */
  brackets: number;
}

class Parser {
  private readonly wildcards: WildcardPart[] = [];
  private readonly stack: Frame[] = [];
  private parts: Part[] = [];
  private at = 0;

  constructor(private readonly text: string) {}

  parse(): Template {
    const brackets = matchingBrackets(this.text);
    for (this.at = 0; this.at < this.text.length;) {
      const char = this.text.charAt(this.at);
      const frame = this.stack.at(-1);
      if (char === '\\' && this.escapes(this.text.charAt(this.at + 1), frame)) {
        this.literal(this.text.charAt(this.at + 1));
        this.at += 2;
      } else if (char === '_' && this.wildcard()) continue;
      else if (char === '{') this.open();
      else if (char === '}') this.close(frame);
      else if (frame && char === '|' && frame.brackets === 0) {
        this.endOption(frame);
        this.startOption(frame);
      } else {
        if (frame && brackets.has(this.at)) frame.brackets += char === '[' ? 1 : -1;
        plainRun.lastIndex = this.at;
        const run = plainRun.exec(this.text)?.[0] ?? char;
        this.literal(run);
        this.at += run.length;
      }
    }
    const unclosed = this.stack.at(-1);
    if (unclosed)
      throw this.error(
        unclosed.start,
        "this '{' is never closed. Close it with '}', or write '\\{' for the brace itself.",
      );
    return { parts: this.parts, wildcards: this.wildcards };
  }

  private escapes(next: string, frame: Frame | undefined): boolean {
    return next === '{' || next === '}' || next === '_' || (next === '|' && frame !== undefined);
  }

  private literal(text: string): void {
    const parts = this.stack.at(-1)?.parts ?? this.parts;
    const last = parts.at(-1);
    if (typeof last === 'string') parts[parts.length - 1] = last + text;
    else parts.push(text);
  }

  private wildcard(): boolean {
    wildcardName.lastIndex = this.at;
    const match = wildcardName.exec(this.text);
    if (match?.[1] === undefined) return false;
    const part = { wildcard: match[1], optional: this.insideTag() };
    (this.stack.at(-1)?.parts ?? this.parts).push(part);
    this.wildcards.push(part);
    this.at = wildcardName.lastIndex;
    return true;
  }

  private insideTag(): boolean {
    const before = this.text.slice(0, this.at);
    return /<\w+:[^<>]*$/.test(before.slice(before.lastIndexOf('<')));
  }

  private open(): void {
    if (this.stack.length === DEEPEST)
      throw this.error(this.at, `choices are nested deeper than ${DEEPEST}.`);
    const frame: Frame = { start: this.at, options: [], weight: 1, parts: [], brackets: 0 };
    this.stack.push(frame);
    this.startOption(frame);
  }

  /** `at` stands on the `{` or `|` before the option. */
  private startOption(frame: Frame): void {
    weightPrefix.lastIndex = this.at + 1;
    const match = weightPrefix.exec(this.text);
    frame.weight = Number(match?.[1] ?? 1);
    this.at = match ? weightPrefix.lastIndex : this.at + 1;
  }

  private endOption(frame: Frame): void {
    frame.options.push({ weight: frame.weight, parts: frame.parts });
    frame.parts = [];
  }

  private close(frame: Frame | undefined): void {
    if (!frame)
      throw this.error(this.at, "this '}' closes nothing. Take it out, or write '\\}' for the brace itself.");
    this.endOption(frame);
    if (frame.options.every(({ weight }) => weight === 0)) {
      throw this.error(frame.start, 'all weights are 0, so nothing can be chosen.');
    }
    this.stack.pop();
    (this.stack.at(-1)?.parts ?? this.parts).push(choiceOf(frame.options));
    this.at += 1;
  }

  private error(at: number, message: string): ConfigError {
    return new ConfigError(`at ${quote(this.text.slice(at, at + 40))}: ${message}`);
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
