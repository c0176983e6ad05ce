import { refusalOfPostgres } from '../base/refusals.js';
import { StorageError, systemCode, toError } from '../errors.js';

/** The server's own trouble, or its administrator's doing: no bug of ours either, but nothing that passes. */
const broken = /^(28...|3D000|42501|57...|58...|XX00[012]|F0...)$/;

/** A database's error that is no bug of ours, in plain words; any other as it is. */
export function databaseError(thrown: unknown): Error {
  const error = toError(thrown);
  const why = refusalOfPostgres(error);
  if (why !== undefined)
    return new StorageError(
      `The ledger’s database ${why} (${error.message}). Nothing that was recorded is lost: see that it is well, then resume.`,
      { cause: error },
    );
  if (broken.test(systemCode(error) ?? ''))
    return new StorageError(
      `The ledger’s database cannot be used: ${error.message}. Nothing that was recorded is lost: see to the database, then resume.`,
      { cause: error },
    );
  return error;
}
