import { luck, pick } from './luck.js';
import type { Fault, Protocol } from './types.js';

const common: readonly Fault[] = [
  'slow',
  'hang',
  'error',
  'poisoned',
  'out-of-memory',
  'truncated',
  'black',
  'grey',
  'stuck',
  'html',
  'disconnect',
  'interrupted',
  'rate-limited',
];

/** The faults that a protocol knows. */
export const faultsOf: Readonly<Record<Protocol, readonly Fault[]>> = {
  a1111: [...common, 'substituted'],
  comfyui: [...common, 'lost', 'zombie', 'mute-socket', 'garbage-socket', 'execution-error'],
};

/**
 * What a generation meets where nobody says which faults: those that pass and that a client notices soon.
 * A hang or a zombie is noticed only after the client's patience, a substitution will happen again, a
 * server that is poisoned is of no use any more, and that one is stuck shows in the second picture alone.
 */
function passing(protocol: Protocol): readonly Fault[] {
  const excluded: readonly Fault[] = ['hang', 'zombie', 'substituted', 'poisoned', 'stuck'];
  return faultsOf[protocol].filter((fault) => !excluded.includes(fault));
}

/** Decides which generation meets which fault: by a counter and the seed, so that a run repeats. */
export class FaultPlan {
  readonly #waiting: Fault[] = [];
  readonly #ofWords = new Map<string, Fault>();
  #counter = 0;
  #rate = 0;
  #faults: readonly Fault[] = [];

  readonly #protocol: Protocol;

  constructor(protocol: Protocol, rate: number, faults: readonly Fault[]) {
    this.#protocol = protocol;
    this.set(rate, faults);
  }

  set(rate: number, faults: readonly Fault[]): void {
    faults.forEach((fault) => this.#check(fault));
    this.#rate = rate;
    this.#faults = faults.length === 0 ? passing(this.#protocol) : faults;
  }

  push(fault: Fault): void {
    this.#check(fault);
    this.#waiting.push(fault);
  }

  setFor(words: string, fault: Fault): void {
    this.#check(fault);
    this.#ofWords.set(words, fault);
  }

  /** The fault of the generation that arrives now, if it meets one. */
  next(seed: number, prompt = ''): Fault | undefined {
    const count = this.#counter++;
    const [, ofWords] = [...this.#ofWords].find(([words]) => prompt.includes(words)) ?? [];
    const asked = ofWords ?? this.#waiting.shift();
    if (asked !== undefined) return asked;
    if (luck('fails', count, seed) >= this.#rate) return undefined;
    return pick(this.#faults, 'fault', count, seed);
  }

  #check(fault: Fault): void {
    if (!faultsOf[this.#protocol].includes(fault)) {
      throw new RangeError(`a sketch server that speaks ${this.#protocol} has no fault '${fault}'`);
    }
  }
}
