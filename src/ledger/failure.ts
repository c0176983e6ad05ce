import { StorageError, systemCode, toError } from '../errors.js';

/** What a failed write to the disk comes to, by Node's code for it. */
const disk: { [code: string]: string } = {
  EACCES: 'no permission to write there. Change its owner or mode, or set REROLL_HOME to another folder',
  EPERM: 'no permission to write there. Change its owner or mode, or set REROLL_HOME to another folder',
  EROFS: 'the file system is read-only. Set REROLL_HOME to another folder',
  ENOSPC: 'the disk is full. Free some space; nothing that was recorded is lost',
  EDQUOT: 'your disk quota is used up. Free some space; nothing that was recorded is lost',
  ENOTDIR: 'part of that path is a file, not a folder. Set REROLL_HOME to another folder',
  EEXIST: 'a file of that name is in the way. Move it, or set REROLL_HOME to another folder',
};

/** An error of the file system in `folder` as a StorageError; any other as it is. */
export function storageError(thrown: unknown, folder: string): Error {
  const what = disk[systemCode(thrown) ?? ''];
  return what === undefined
    ? toError(thrown)
    : new StorageError(`Cannot use the folder ${folder}: ${what}.`, { cause: thrown });
}

/** Connection errors of PostgreSQL (classes 08 and 57P) and of the network under it. */
const UNREACHABLE_CODE = /^(08|57P0|ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_)/;
/** node-postgres gives these no code. */
const UNREACHABLE_MESSAGE = /^(Connection terminated|timeout exceeded when trying to connect)/;

/**
 * A database's error that is no bug of ours, in plain words; any other as it is.
 * Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function databaseError(thrown: unknown): Error {
  const error = toError(thrown);
  const code = systemCode(error) ?? '';
  if (code === '53100' || code === 'ENOSPC' || /no space left on device/i.test(error.message))
    return new StorageError(
      'The disk of the ledger’s database is full. Free some space; nothing that was recorded is lost.',
      { cause: error },
    );
  if (UNREACHABLE_CODE.test(code) || UNREACHABLE_MESSAGE.test(error.message))
    return new StorageError(
      `The ledger’s database does not answer: ${error.message}. Nothing that was recorded is lost: see that it runs, then resume.`,
      { cause: error },
    );
  return error;
}
