import { getSystemErrorMap } from 'node:util';
import { RerollError, StorageError, systemCode } from '../errors.js';

/** What an error of the operating system means, and what to do, by Node's code for it. */
const advice: Record<string, string> = {
  ENOSPC: 'the disk is full: free some space and go on; nothing that was recorded is lost',
  EDQUOT: 'your disk quota is used up: free some space and go on; nothing that was recorded is lost',
  EACCES: 'no permission: choose another folder, or change its owner or mode',
  EPERM: 'no permission: choose another folder, or change its owner or mode',
  EROFS: 'the file system is read-only: choose another folder',
  ENOTDIR: 'a part of this path is a file, not a folder: choose another',
  EEXIST: 'a file of that name is in the way: move it, or choose another folder',
  ENOENT: 'there is no such file or folder',
  EISDIR: 'this is a folder, not a file',
  ENAMETOOLONG: 'the name is too long for this file system: choose a shorter one (`output.filename`)',
  EMFILE: 'too many files are open: raise the limit (`ulimit -n`)',
  ENFILE: 'too many files are open on this machine: close some programs',
  EIO: 'the disk fails: look at it, and go on; nothing that was recorded is lost',
  ESTALE: 'the network drive was mounted anew: go on from a new shell',
  ELOOP: 'its symbolic links lead round in circles',
  ENOMEM: 'there is not enough memory: close some programs',
  EADDRINUSE: 'something listens there already: choose another port (`--port`), or stop it',
  EADDRNOTAVAIL: 'this machine has no such address',
  ECONNREFUSED: 'nothing listens there: is it running, and are address and port right?',
  ENOTFOUND: 'no such host is known: check the name, and the network',
  EAI_AGAIN: 'the name cannot be looked up: check the network',
};

/** The system's own words for a code; undefined for a code that is none of its. */
const wordsOf = (code: string): string | undefined =>
  advice[code] ?? [...getSystemErrorMap().values()].find(([name]) => name === code)?.[1];

/** What a failure to do something with `path` means, if the file system caused it; any other error as it is. */
export function storageError(doing: string, path: string, thrown: unknown): unknown {
  const code = systemCode(thrown);
  const words = code === undefined ? undefined : wordsOf(code);
  if (thrown instanceof RerollError || words === undefined) return thrown;
  return new StorageError(`cannot ${doing} ${path}: ${words}.`, { cause: thrown });
}

/** What the system was asked to do, where Node's word for it is no plain one. */
const doings: Record<string, string> = {
  listen: 'listen on',
  bind: 'listen on',
  connect: 'connect to',
  getaddrinfo: 'find',
  scandir: 'list',
  unlink: 'delete',
};

/**
 * An error of the operating system that nobody awaited, or one that was caused by such an error, as a StorageError in
 * words: the disk and the network are no bugs of ours. Any other error as it is.
 */
export function inWords(thrown: unknown): unknown {
  if (thrown instanceof RerollError) return thrown;
  for (let error = thrown, depth = 0; error instanceof Error && depth < 10; error = error.cause, depth++) {
    const { syscall, path, address = '', port, hostname } = error as SystemError;
    // Of a program that does not start it names the program too.
    const call = syscall?.split(' ')[0] ?? 'go on';
    const place = path ?? hostname ?? (port === undefined ? address : `${address}:${port}`);
    const told = storageError(doings[call] ?? call, place || 'here', error);
    if (told !== error) return told;
  }
  return thrown;
}

/** What Node puts on the errors of the system, as far as it knows it. */
type SystemError = NodeJS.ErrnoException & { address?: string; port?: number; hostname?: string };

/** Runs `action`; a system error becomes a StorageError that names `path` and says what to do. */
export async function storing<T>(doing: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw storageError(doing, path, error);
  }
}
