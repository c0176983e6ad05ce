import { RerollError, StorageError, systemCode } from '../errors.js';

/** What an error of the file system means, and what to do, by Node's code for it. */
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
};

/** What a failure to do something with `path` means, if the file system caused it; any other error as it is. */
export function storageError(doing: string, path: string, thrown: unknown): unknown {
  const code = systemCode(thrown);
  if (thrown instanceof RerollError || code === undefined || !/^E[A-Z]+$/.test(code)) return thrown;
  return new StorageError(`cannot ${doing} ${path}: ${advice[code] ?? code}.`, { cause: thrown });
}

/** Runs `action`; a system error becomes a StorageError that names `path` and says what to do. */
export async function storing<T>(doing: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw storageError(doing, path, error);
  }
}
