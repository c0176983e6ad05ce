import { StorageError, systemCode, toError } from '../errors.js';

/** Connection errors of PostgreSQL (classes 08 and 57P) and of the network under it. */
const unreachableCode = /^(08|57P0|ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_)/;
/** node-postgres gives these no code. */
const unreachableMessage = /^(Connection terminated|timeout exceeded when trying to connect)/;

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
  if (unreachableCode.test(code) || unreachableMessage.test(error.message))
    return new StorageError(
      `The ledger’s database does not answer: ${error.message}. Nothing that was recorded is lost: see that it runs, then resume.`,
      { cause: error },
    );
  return error;
}
