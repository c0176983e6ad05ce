import type { Readable } from 'node:stream';
import { RerollError } from '../errors.js';

const newline = 0x0a;

export interface LineOptions {
  /** Of one line, its newline left out. */
  maxBytes: number;
  /** How long one whole line may take to come; a peer that drips gains no time. Infinity where silence is no failure. */
  idleMs: number;
}

/**
 * The lines of a peer that is not trusted, as UTF-8, without their newline. What follows the last newline is
 * dropped: it was cut. Holds at most twice `maxBytes`, and takes time in proportion to what comes. Reads on only
 * when the next line is asked for. Throws RerollError, and destroys the stream, where a line is too long or too
 * slow; the stream's own error where it breaks. A caller that stops asking keeps the stream, to answer on it.
 */
export async function* readLines(
  stream: Readable,
  { maxBytes, idleMs }: LineOptions,
): AsyncGenerator<string, void, undefined> {
  const chunks = stream.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  const line = new GrowingLine(maxBytes);
  const wait = () =>
    Number.isFinite(idleMs)
      ? setTimeout(
          () => stream.destroy(new RerollError(`sent no whole line within ${idleMs / 1000} s.`)),
          idleMs,
        )
      : undefined;
  let timer = wait();
  try {
    for await (const chunk of chunks) {
      let start = 0;
      for (let end; (end = chunk.indexOf(newline, start)) >= 0; start = end + 1) {
        line.add(chunk.subarray(start, end));
        clearTimeout(timer);
        yield line.take();
        timer = wait();
      }
      line.add(chunk.subarray(start));
    }
  } catch (error) {
    stream.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** One buffer that doubles: a peer that sends a byte at a time would cost a hundred bytes for each in a list. */
class GrowingLine {
  #bytes = Buffer.alloc(0);
  #size = 0;

  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(part: Buffer): void {
    const size = this.#size + part.length;
    if (size > this.#maxBytes) throw new RerollError(`sent a line of more than ${this.#maxBytes} bytes.`);
    if (size > this.#bytes.length) {
      const larger = Buffer.alloc(Math.min(this.#maxBytes, Math.max(size, 2 * this.#bytes.length)));
      this.#bytes.copy(larger, 0, 0, this.#size);
      this.#bytes = larger;
    }
    part.copy(this.#bytes, this.#size);
    this.#size = size;
  }

  take(): string {
    const text = this.#bytes.toString('utf8', 0, this.#size);
    this.#bytes = Buffer.alloc(0);
    this.#size = 0;
    return text;
  }
}
