import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

import { ModelError } from '../../errors.js';
import { storageError } from '../../base/storage.js';
import type { OnEvent } from '../events.js';
import { fileBytes } from '../../base/files.js';
import type { HubFile } from './listing.js';
import { get, PassingError, reasonOf, withPatience } from './request.js';
import type { HubSettings } from './settings.js';

const readBytes = 2 ** 20;

export interface DownloadSource {
  name: string;
  commit: string;
  file: HubFile;
}

/**
 * Fetches a file into `blob`, unless it is there. A download that was cut goes on where it stopped, also after
 * a restart. The content must hash to what the Hub said; only then does it get its name.
 *
 * No lock: every writer of a blob puts the same bytes in the same places, and the hash decides in the end.
 */
export async function download(
  blob: string,
  source: DownloadSource,
  settings: HubSettings,
  onEvent?: OnEvent,
  signal?: AbortSignal,
): Promise<void> {
  const { file } = source;
  if ((await fileBytes(blob)) !== undefined) return;
  // Python's own partial downloads end in .incomplete: those it may be writing right now.
  const partial = `${blob}.reroll-incomplete`;
  try {
    await mkdir(dirname(blob), { recursive: true });
    const handle = await open(partial, constants.O_RDWR | constants.O_CREAT, 0o644);
    try {
      await withPatience(file.path, settings, onEvent, signal, (progress) =>
        fetchRest(handle, source, settings, progress, onEvent, signal),
      );
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, blob);
  } catch (error) {
    if (error instanceof ChecksumError) await rm(partial, { force: true });
    throw storageError('write', partial, error);
  }
  onEvent?.({ kind: 'downloaded', file: file.path, bytes: file.bytes });
}

class ChecksumError extends ModelError {}

async function fetchRest(
  handle: FileHandle,
  { name, commit, file }: DownloadSource,
  settings: HubSettings,
  progress: () => void,
  onEvent?: OnEvent,
  signal?: AbortSignal,
): Promise<void> {
  let received = await usableBytes(handle, file.bytes);
  let hash = await hashOf(handle, file, received);
  const report = () => onEvent?.({ kind: 'downloading', file: file.path, received, bytes: file.bytes });
  report();
  if (received < file.bytes || file.bytes === 0) {
    const silence = new Silence(settings.patience.silenceMs, signal);
    try {
      const path = `/${name}/resolve/${commit}/${file.path.split('/').map(encodeURIComponent).join('/')}`;
      const headers: Record<string, string> = { 'accept-encoding': 'identity' };
      if (received > 0) headers.range = `bytes=${received}-`;
      const response = await get(path, settings, headers, silence.signal);
      if (received > 0 && !continuesAt(response, received)) {
        // The server sends the file from its beginning.
        received = 0;
        hash = newHash(file);
      }
      for await (const chunk of chunksOf(response)) {
        silence.broken();
        if (received + chunk.length > file.bytes) {
          await handle.truncate(0);
          throw new ChecksumError(
            `${file.path} is longer than the ${file.bytes} bytes that the Hub promised`,
          );
        }
        await writeAll(handle, chunk, received);
        hash.update(chunk);
        received += chunk.length;
        progress();
        report();
      }
    } finally {
      silence.end();
    }
    if (received < file.bytes) {
      throw new PassingError(`the connection ended after ${received} of ${file.bytes} bytes`);
    }
  }
  if (hash.digest('hex') !== file.checksum.hex) {
    throw new ChecksumError(
      `${file.path} arrived damaged: its checksum is not the Hub's. It was deleted; pull the model again`,
    );
  }
}

/** How much of an earlier download can be kept. More than the whole file cannot be of this file. */
async function usableBytes(handle: FileHandle, bytes: number): Promise<number> {
  const { size } = await handle.stat();
  if (size <= bytes) return size;
  await handle.truncate(0);
  return 0;
}

function newHash({ bytes, checksum }: HubFile): Hash {
  return checksum.algorithm === 'sha256'
    ? createHash('sha256')
    : createHash('sha1').update(`blob ${bytes}\0`);
}

async function hashOf(handle: FileHandle, file: HubFile, bytes: number): Promise<Hash> {
  const hash = newHash(file);
  const buffer = Buffer.alloc(Math.min(bytes, readBytes));
  for (let done = 0; done < bytes;) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, bytes - done), done);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    done += bytesRead;
  }
  return hash;
}

function continuesAt(response: Response, position: number): boolean {
  const range = response.headers.get('content-range') ?? '';
  return response.status === 206 && range.startsWith(`bytes ${position}-`);
}

async function* chunksOf(response: Response): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response.body ?? []) yield chunk as Uint8Array;
  } catch (error) {
    throw new PassingError(`the connection broke (${reasonOf(error)})`, undefined, { cause: error });
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    done += (await handle.write(chunk, done, chunk.length - done, position + done)).bytesWritten;
  }
}

/** Aborts a connection on which nothing arrives, as well as when the caller aborts. */
class Silence {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly signal: AbortSignal;

  constructor(milliseconds: number, outer?: AbortSignal) {
    this.#timer = setTimeout(() => {
      this.#controller.abort(new Error(`nothing came for ${milliseconds / 1000} s`));
    }, milliseconds);
    this.signal = outer ? AbortSignal.any([this.#controller.signal, outer]) : this.#controller.signal;
  }

  /** Something arrived. */
  broken(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
