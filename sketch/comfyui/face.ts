import type { IncomingMessage } from 'node:http';
import { checkProxyAuth } from '../auth.js';
import { ServerGone } from '../gpu.js';
import { HttpAnswer, send, urlOf } from '../http.js';
import type { Face } from '../server.js';
import type { Life } from '../studio.js';
import { Comfy } from './comfy.js';
import type { Files } from './files.js';
import { internalError } from './prompt.js';
import { routes } from './routes.js';

/** ComfyUI's face: answers its API and its socket for one life of the server. `files` outlive it. */
export function comfyFace(life: Life, files: Files): Face {
  const comfy = new Comfy(life, files);
  const router = routes(comfy);
  const { auth } = life.studio.options;
  /** @throws HttpAnswer where a request may not pass. */
  const admit = (request: IncomingMessage): URL => {
    const url = urlOf(request);
    if (!url.pathname.startsWith('/api/jobs')) url.pathname = url.pathname.replace(/^\/api(?=\/)/, '');
    if (auth !== undefined) checkProxyAuth(request, auth);
    checkOrigin(request);
    return url;
  };
  return {
    async handle(request, response) {
      try {
        const url = admit(request);
        const found = router.find(request.method ?? 'GET', url.pathname);
        if (found === undefined) {
          send(response, 404, '404: Not Found');
          return;
        }
        if (found === 'method') {
          send(response, 405, '405: Method Not Allowed');
          return;
        }
        await found.handler({ request, response, url, params: found.params });
      } catch (error) {
        if (error instanceof ServerGone) return;
        const answer = error instanceof HttpAnswer ? error : internalError();
        send(response, answer.status, answer.body, answer.headers);
      }
    },
    upgrade(request, socket, head) {
      try {
        const url = admit(request);
        if (url.pathname !== '/ws') throw new HttpAnswer(404, '');
        comfy.sockets.accept(request, socket, head, url.searchParams.get('clientId') ?? '');
      } catch (error) {
        const status = error instanceof HttpAnswer ? error.status : 500;
        socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\n\r\n`);
      }
    },
  };
}

/** ComfyUI's defence against other web pages. @throws HttpAnswer 403. */
function checkOrigin({ headers }: IncomingMessage): void {
  const { origin, host = '' } = headers;
  const loopback = /^(localhost|127\.|\[::1\])/.test(host);
  const foreign = origin !== undefined && loopback && origin.replace(/^\w+:\/\//, '') !== host;
  if (foreign || headers['sec-fetch-site'] === 'cross-site') throw new HttpAnswer(403, '');
}
