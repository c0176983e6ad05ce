import type { IncomingMessage } from 'node:http';
import { basicAuth } from '../auth.js';
import { a1111Failure } from './failure.js';

/** HTTP Basic as --api-auth asks for it. @throws HttpAnswer 401 in the server's own form. */
export function checkApiAuth(request: IncomingMessage, auth: string): void {
  const given = basicAuth(request, auth);
  if (given === 'missing') throw a1111Failure(401, 'HTTPException', 'Not authenticated');
  if (given === 'wrong') throw a1111Failure(401, 'HTTPException', 'Incorrect username or password');
}
