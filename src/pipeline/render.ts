import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { ConfigError } from '../errors.js';
import { escapeVariables } from './environment.js';
import type { Choice, Part, Template, VariablePart } from './template.js';
import type { Wildcards } from './wildcards.js';

/** Wildcards that each use two others grow without bound: no real prompt needs this many choices or letters. */
const mostChoices = 10_000;
const mostCharacters = 200_000;

/** One shot's luck: the same seed makes the same choices. Seeds must come from `seedFor`: the generator does not mix them. */
export class Renderer {
  readonly #random: () => number;
  #choices = 0;
  #characters = 0;

  readonly #wildcards: Wildcards;
  readonly #environment: ReadonlySet<string>;

  constructor(wildcards: Wildcards, seed: number, environment: ReadonlySet<string> = new Set()) {
    this.#wildcards = wildcards;
    this.#environment = environment;
    const generator = xoroshiro128plus(seed);
    this.#random = () => uniformFloat64(generator);
  }

  /**
   * The text of `template` with every choice made, and with `${NAME}` for each variable of the environment; where the
   * text itself says so it becomes `$${NAME}`. `wildcards.prepare` must have seen the template.
   */
  render({ parts }: Template): string {
    const text: (string | VariablePart)[] = [];
    this.#collect(parts, text);
    const rendered: string[] = [];
    let own = '';
    for (const part of [...text, { variable: '' }]) {
      if (typeof part === 'string') own += part;
      else {
        rendered.push(escapeVariables(own, this.#environment), part.variable && `\${${part.variable}}`);
        own = '';
      }
    }
    return rendered.join('');
  }

  #collect(parts: readonly Part[], text: (string | VariablePart)[]): void {
    for (const part of parts) {
      if (typeof part === 'string') this.#add(part, text);
      else if ('options' in part) this.#choose(part, text);
      else if ('variable' in part) text.push(part);
      else {
        const choice = this.#wildcards.choice(part.wildcard);
        if (choice) this.#choose(choice, text);
        else this.#add(`__${part.wildcard}__`, text);
      }
    }
  }

  #choose({ options, upTo }: Choice, text: (string | VariablePart)[]): void {
    if (++this.#choices > mostChoices) throw tooMuch();
    const option = options[firstAbove(upTo, this.#random() * (upTo.at(-1) ?? 0))];
    if (option) this.#collect(option.parts, text);
  }

  #add(part: string, text: (string | VariablePart)[]): void {
    this.#characters += part.length;
    if (this.#characters > mostCharacters) throw tooMuch();
    text.push(part);
  }
}

const tooMuch = (): ConfigError =>
  new ConfigError(
    'the choices in this prompt multiply to an endless text: do its wildcards use each other twice?',
  );

/** Index of the first of `sums`, which never fall, that is greater than `value`. */
function firstAbove(sums: readonly number[], value: number): number {
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sums[middle] ?? 0) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
