import type { IncomingMessage } from 'node:http';
import { timingSafeEqual } from 'node:crypto';
import { HttpAnswer } from './http.js';

/** Whether a request carries these HTTP Basic credentials: `user:password`. */
export function basicAuth(request: IncomingMessage, auth: string): 'right' | 'wrong' | 'missing' {
  const [scheme = '', token = ''] = (request.headers.authorization ?? '').split(' ');
  if (scheme.toLowerCase() !== 'basic') return 'missing';
  const given = Buffer.from(token, 'base64');
  const wanted = Buffer.from(auth);
  return given.length === wanted.length && timingSafeEqual(given, wanted) ? 'right' : 'wrong';
}

/** What a reverse proxy with a password does. @throws HttpAnswer 401. */
export function checkProxyAuth(request: IncomingMessage, auth: string): void {
  if (basicAuth(request, auth) === 'right') return;
  throw new HttpAnswer(401, '401 Authorization Required', { 'www-authenticate': 'Basic realm="ComfyUI"' });
}
