import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { BackendError } from '../../errors.js';
import type { HttpClient } from '../../net/index.js';
import type { ReadFile } from '../port.js';
import { unreadable } from '../unreadable.js';
import { uploaded } from './schema.js';

/** Puts pictures into the server's input folder. Each returns the name that LoadImage takes. */
export class Uploads {
  constructor(
    readonly backend: string,
    readonly http: HttpClient,
    readonly readFile: ReadFile,
  ) {}

  async file(path: string, signal: AbortSignal): Promise<string> {
    const bytes = await this.readFile(path).catch((error: unknown) => {
      throw unreadable(this.backend, path, error);
    });
    return this.bytes(bytes, extname(path), signal);
  }

  /** `extension`: with its dot. Named by its content, so that the same picture is kept once. */
  async bytes(bytes: Buffer, extension: string, signal: AbortSignal): Promise<string> {
    const name = createHash('sha256').update(bytes).digest('hex').slice(0, 24) + extension;
    const form = new FormData();
    form.set('image', new Blob([new Uint8Array(bytes)]), name);
    form.set('type', 'input');
    form.set('subfolder', 'reroll');
    const reply = await this.http.postJson('/upload/image', form, { signal, timeoutMs: 120_000 });
    const kept = uploaded.safeParse(reply).data;
    if (kept === undefined) {
      const message = 'did not say where it put an uploaded picture.';
      throw new BackendError(message, { backend: this.backend, fault: 'transient' });
    }
    return kept.subfolder === '' ? kept.name : `${kept.subfolder}/${kept.name}`;
  }
}
