import { type FileHandle, open } from 'node:fs/promises';
import { ModelError } from '../errors.js';

/** Field numbers of the ONNX messages on the way to where a weight lies. */
const field = { modelGraph: 7, graphInitializer: 5, tensorExternalData: 13, entryKey: 1, entryValue: 2 };

/** A key and its value ("location", "model.onnx.data") are far shorter. */
const maxEntryBytes = 64 * 1024;
const windowBytes = 64 * 1024;

/**
 * The files that hold an ONNX file's weights where it does not hold them itself, by path relative to it. Steps over
 * the weights that are in it, so that a large file is not read. A file that is no ONNX names none: whoever loads it
 * says what is wrong with it. Throws ModelError for a path that leads out of the folder.
 */
export async function externalData(path: string): Promise<string[]> {
  const locations = new Set<string>();
  const file = await open(path);
  try {
    const reader = new Reader(file);
    for await (const graph of reader.messages({ from: 0, to: (await file.stat()).size }, field.modelGraph))
      for await (const weight of reader.messages(graph, field.graphInitializer))
        for await (const entry of reader.messages(weight, field.tensorExternalData)) {
          const location = await reader.location(entry);
          if (location !== undefined) locations.add(location);
        }
  } finally {
    await file.close();
  }
  return [...locations].sort().map((location) => inside(location, path));
}

function inside(location: string, path: string): string {
  const parts = location.split('/');
  if (
    location.length < 1024 &&
    !/[\\:\0]/.test(location) &&
    parts.every((part) => part !== '' && part !== '..')
  )
    return parts.filter((part) => part !== '.').join('/');
  throw new ModelError(
    `${path} wants its weights from "${location.slice(0, 200)}": only files beside it are read. Export the model again.`,
  );
}

interface Span {
  from: number;
  to: number;
}

/** Reads protobuf messages from a file, a window at a time. */
class Reader {
  #window = Buffer.alloc(0);
  #start = 0;

  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** The messages of this number in a message. Ends where what follows is no protobuf. */
  async *messages(span: Span, wanted: number): AsyncGenerator<Span> {
    for (let at = span.from; at < span.to;) {
      const tag = await this.#varint(at);
      const kind = Number(tag.value & 7n);
      const number = Number(tag.value >> 3n);
      if (number === 0) return;
      if (kind === 0) {
        at = (await this.#varint(tag.end)).end;
        continue;
      }
      const length = kind === 2 ? await this.#varint(tag.end) : undefined;
      const from = length?.end ?? tag.end;
      const bytes = length ? Number(length.value) : { 1: 8, 5: 4 }[kind];
      if (bytes === undefined || from + bytes > span.to) return;
      if (number === wanted && length) yield { from, to: from + bytes };
      at = from + bytes;
    }
  }

  /** The value of an entry whose key is `location`. */
  async location(entry: Span): Promise<string | undefined> {
    if (entry.to - entry.from > maxEntryBytes) return undefined;
    const text = async (number: number) => {
      for await (const { from, to } of this.messages(entry, number))
        return (await this.#bytes(from, to - from)).toString('utf8');
      return undefined;
    };
    return (await text(field.entryKey)) === 'location' ? text(field.entryValue) : undefined;
  }

  async #varint(at: number): Promise<{ value: bigint; end: number }> {
    const bytes = await this.#bytes(at, 10);
    let value = 0n;
    for (const [place, byte] of bytes.entries()) {
      value |= BigInt(byte & 0x7f) << BigInt(7 * place);
      if (byte < 0x80) return { value, end: at + place + 1 };
    }
    // Cut off, or no number: nothing that is read here can follow.
    return { value: 0n, end: Number.MAX_SAFE_INTEGER };
  }

  /** At most `length` bytes: fewer at the end of the file. */
  async #bytes(at: number, length: number): Promise<Buffer> {
    const known = at >= this.#start && at + length <= this.#start + this.#window.length;
    if (!known) {
      const window = Buffer.alloc(Math.max(length, windowBytes));
      const { bytesRead } = await this.#file.read(window, 0, window.length, at);
      this.#window = window.subarray(0, bytesRead);
      this.#start = at;
    }
    return this.#window.subarray(at - this.#start, at - this.#start + length);
  }
}
