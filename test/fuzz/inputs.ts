import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Makes texts that parsers do not expect, the same ones for the same seed. */
export class Inputs {
  readonly #random: ReturnType<typeof xoroshiro128plus>;

  constructor(seed: number) {
    this.#random = xoroshiro128plus(seed);
  }

  /** A whole number from 0 up to `end`, which it never is. */
  below(end: number): number {
    return (this.#random.next() >>> 0) % end;
  }

  oneOf<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  /** A sample that has been cut, spliced, repeated and filled with what `marks` has, a few times over. */
  mutate(samples: readonly Buffer[], marks: readonly string[]): Buffer {
    let bytes = this.oneOf(samples);
    for (let times = 1 + this.below(4); times > 0; times--) bytes = this.#once(bytes, samples, marks);
    return bytes.subarray(0, maxBytes);
  }

  #once(bytes: Buffer, samples: readonly Buffer[], marks: readonly string[]): Buffer {
    const at = this.below(bytes.length + 1);
    const end = at + this.below(Math.min(64, bytes.length - at) + 1);
    const around = (...parts: Buffer[]) =>
      Buffer.concat([bytes.subarray(0, at), ...parts, bytes.subarray(end)]);
    switch (this.below(7)) {
      case 0:
        return bytes.subarray(0, at);
      case 1:
        return around(Buffer.from(this.oneOf(marks)));
      case 2:
        return around(Buffer.from([this.below(256), this.below(256)]));
      case 3: {
        const other = this.oneOf(samples);
        return around(other.subarray(this.below(other.length + 1)));
      }
      case 4:
        return around(bytes.subarray(at, end), bytes.subarray(at, end));
      // A pass that is not linear shows in what is repeated.
      case 5:
        return around(Buffer.from(this.oneOf(marks).repeat(this.#many())));
      default:
        return around(Buffer.from((this.oneOf(marks) + this.oneOf(marks)).repeat(this.#many())));
    }
  }

  /** Mostly few: 20,000 large inputs take hours. */
  #many(): number {
    return this.below(20) === 0 ? 1 + this.below(60_000) : 1 + this.below(60);
  }
}

export const maxBytes = 512 * 1024;
