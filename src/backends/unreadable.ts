import { BackendError, systemCode, toError } from '../errors.js';

/** A picture that a request names cannot be read: no server can serve that request. */
export function unreadable(backend: string, path: string, error: unknown): BackendError {
  const why = systemCode(error) ?? toError(error).message;
  return new BackendError(`the picture ${path} cannot be read (${why}).`, { backend, fault: 'request' });
}
