import type { IncomingMessage } from 'node:http';
import { basicAuth } from '../auth.js';
import type { Family } from './family/index.js';

/** HTTP Basic as --api-auth asks for it. @throws HttpAnswer 401 in the server's own form. */
export function checkApiAuth(request: IncomingMessage, auth: string, family: Family): void {
  const given = basicAuth(request, auth);
  if (given === 'missing') throw family.failure(401, 'HTTPException', 'Not authenticated');
  if (given === 'wrong') throw family.failure(401, 'HTTPException', 'Incorrect username or password');
}
