import type { IncomingMessage } from 'node:http';
import { timingSafeEqual } from 'node:crypto';
import { a1111Failure } from './failure.js';

/** HTTP Basic as --api-auth asks for it. @throws HttpAnswer 401 in the server's own form. */
export function checkBasic(request: IncomingMessage, auth: string): void {
  const [scheme = '', token = ''] = (request.headers.authorization ?? '').split(' ');
  if (scheme.toLowerCase() !== 'basic') throw a1111Failure(401, 'HTTPException', 'Not authenticated');
  const given = Buffer.from(Buffer.from(token, 'base64').toString('utf8'));
  const wanted = Buffer.from(auth);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    throw a1111Failure(401, 'HTTPException', 'Incorrect username or password');
  }
}
