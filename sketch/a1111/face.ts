import type { IncomingMessage, ServerResponse } from 'node:http';
import { ServerGone } from '../gpu.js';
import { HttpAnswer, send, urlOf } from '../http.js';
import type { Life } from '../studio.js';
import type { Face } from '../server.js';
import { checkApiAuth } from './auth.js';
import { routes } from './routes.js';
import { Webui } from './webui.js';

/** AUTOMATIC1111's face: answers its API for one life of the server. */
export function a1111Face(life: Life): Face {
  const webui = new Webui(life);
  const router = routes(webui);
  const { family } = webui;
  const { auth } = life.studio.options;
  return {
    async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
      try {
        const url = urlOf(request);
        if (auth !== undefined && url.pathname.startsWith('/sdapi/')) checkApiAuth(request, auth, family);
        const found = router.find(request.method ?? 'GET', url.pathname);
        if (found === undefined) {
          send(response, 404, { detail: 'Not Found' });
          return;
        }
        if (found === 'method') {
          send(response, 405, { detail: 'Method Not Allowed' });
          return;
        }
        await found.handler({ request, response, url, params: found.params });
      } catch (error) {
        if (error instanceof ServerGone) return;
        const answer =
          error instanceof HttpAnswer
            ? error
            : family.failure(500, error instanceof Error ? error.name : 'Error', '', String(error));
        send(response, answer.status, answer.body, answer.headers);
      }
    },
  };
}
