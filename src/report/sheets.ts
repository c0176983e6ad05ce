import { open, rm, type FileHandle } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { storing } from '../base/storage.js';
import { StorageError } from '../errors.js';
import { groups, type Group } from './groups.js';
import type { Html } from './html.js';
import { cardsPerPart, type Part } from './pages.js';

/** A part, with the place of its cards in the section's file. */
export interface WrittenPart extends Part {
  from: number;
  /** The byte after its last. */
  to: number;
}

/** Bytes that wait to be written together. */
const bufferBytes = 262_144;

/**
 * The cards of a report while it goes over the shots once, each section's in a file of its own: a second pass would see a
 * run that goes on otherwise than the first, and memory would grow with the run.
 */
export class Sheets {
  readonly #sheets = new Map<Group, Sheet>();
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async add(group: Group, shot: number, cards: Html[]): Promise<void> {
    if (cards.length === 0) return;
    let sheet = this.#sheets.get(group);
    if (!sheet) {
      const path = join(this.#folder, `.report.${randomUUID()}.tmp`);
      sheet = new Sheet(path, await storing('write', path, () => open(path, 'wx+')));
      this.#sheets.set(group, sheet);
    }
    await sheet.add(shot, cards);
  }

  /** The parts of each section; nothing is added after that. */
  async parts(): Promise<Map<Group, WrittenPart[]>> {
    for (const sheet of this.#sheets.values()) await sheet.flush();
    return new Map(groups.map(([group]) => [group, this.#sheets.get(group)?.parts ?? []]));
  }

  read(group: Group, part: WrittenPart): AsyncIterable<string> {
    const sheet = this.#sheets.get(group);
    if (!sheet) throw new Error(`nothing was written in ${group}`);
    return sheet.read(part);
  }

  async close(): Promise<void> {
    for (const sheet of this.#sheets.values()) await sheet.close();
  }
}

class Sheet {
  readonly parts: WrittenPart[] = [];
  #waiting: Buffer[] = [];
  #waitingBytes = 0;

  readonly #path: string;
  readonly #file: FileHandle;

  constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  async add(shot: number, cards: Html[]): Promise<void> {
    const bytes = Buffer.from(cards.map(({ text }) => text).join(''));
    const last = this.parts.at(-1);
    const at = last?.to ?? 0;
    if (last && last.cards < cardsPerPart) {
      last.cards += cards.length;
      last.to += bytes.length;
    } else this.parts.push({ shot, cards: cards.length, from: at, to: at + bytes.length });
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes >= bufferBytes) await this.flush();
  }

  async flush(): Promise<void> {
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    await storing('write', this.#path, () => this.#file.appendFile(bytes));
  }

  async *read({ from, to }: WrittenPart): AsyncGenerator<string> {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(bufferBytes);
    for (let at = from; at < to;) {
      const size = Math.min(bufferBytes, to - at);
      const { bytesRead } = await storing('read', this.#path, () => this.#file.read(buffer, 0, size, at));
      if (bytesRead === 0)
        throw new StorageError(`${this.#path} was cut while the report was made. Ask for it again.`);
      at += bytesRead;
      yield decoder.decode(buffer.subarray(0, bytesRead), { stream: at < to });
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
    await rm(this.#path, { force: true });
  }
}
