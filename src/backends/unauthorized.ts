import type { NetError } from '../net/index.js';

/** A 401 or 403 in words; `said` are the server's. */
export function describeUnauthorized({ status, authorized }: NetError, said: string): string {
  const words = `(${[status, said].filter(Boolean).join(': ')})`;
  return authorized
    ? `refused the password ${words}. Check the backend's auth: "user:password" or "Bearer ...".`
    : `wants a password ${words}. Give it as the backend's auth: "user:password" or "Bearer ...".`;
}
