/** Pictures that are remembered: memory stays flat. */
const remembered = 1000;

/** The latest pictures of a process by their pixels, and the seed that each was made with. */
export class Pictures {
  readonly #seeds = new Map<string, number>();

  /**
   * Takes note of a picture. Answers the other seed that the very same pixels were sent for before: whoever sent
   * them is stuck, since no two seeds give one picture.
   */
  seedOfTwin(pixels: string, seed: number): number | undefined {
    const known = this.#seeds.get(pixels);
    if (known !== undefined) return known === seed ? undefined : known;
    this.#seeds.set(pixels, seed);
    const [oldest] = this.#seeds.keys();
    if (this.#seeds.size > remembered && oldest !== undefined) this.#seeds.delete(oldest);
    return undefined;
  }
}
