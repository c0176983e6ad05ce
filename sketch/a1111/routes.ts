import { readBody, Router, send, sendHtml, type Call } from '../http.js';
import { plainly, version } from '../types.js';
import { adModels } from './adetailer.js';
import { latentUpscaleModes, loraFile, loras, knownModules, vaeFile, vaes } from './catalogue.js';
import { parseJson, readRequest, type Fields } from './fields.js';
import { generate } from './generate.js';
import { askProgress, progress } from './progress.js';
import type { Webui } from './webui.js';

/** Longest request body, bytes: img2img carries whole pictures. */
const bodyLimit = 64 * 1024 * 1024;

/** Every route of the server. */
export function routes(webui: Webui): Router {
  const router = new Router();
  const { studio } = webui.life;
  const { family } = webui;
  const get = (path: string, answer: () => unknown): void =>
    router.add(`GET ${path}`, ({ response }) => send(response, 200, answer()));
  const post = (
    path: string,
    fields: Fields,
    answer: (call: Call, body: ReturnType<typeof readRequest>) => unknown,
  ): void =>
    router.add(`POST ${path}`, async (call) => {
      const body = await readBody(call.request, bodyLimit);
      send(call.response, 200, await answer(call, readRequest(parseJson(body), fields)));
    });
  /** SD.Next answers 204 without a body where the others answer 200. */
  const act = (path: string, answer: () => unknown): void =>
    router.add(`POST ${path}`, ({ response }) => {
      const body = answer();
      if (family.isSdNext) response.writeHead(204).end();
      else send(response, 200, body);
    });

  router.add('GET /', ({ response }) =>
    sendHtml(response, 200, `<!doctype html><title>${plainly}</title><p>${plainly}`),
  );
  for (const kind of ['txt2img', 'img2img'] as const) {
    router.add(`POST /sdapi/v1/${kind}`, async (call) => {
      const body = await readBody(call.request, bodyLimit);
      await generate(webui, kind, readRequest(parseJson(body), family.fields[kind]), call);
    });
  }
  router.add('GET /sdapi/v1/progress', async ({ response, url }) => {
    const skipImage = ['true', '1'].includes(url.searchParams.get('skip_current_image')?.toLowerCase() ?? '');
    send(response, 200, await progress(webui, skipImage));
  });
  act('/sdapi/v1/interrupt', () => {
    webui.state.interrupt();
    return {};
  });
  get('/sdapi/v1/options', () => webui.said());
  get('/sdapi/v1/sd-models', () => studio.options.checkpoints.map(family.checkpoint));
  const modules = family.modules === 'sd-vae' ? vaes : knownModules;
  get(`/sdapi/v1/${family.modules}`, () =>
    modules.map((name) => ({ model_name: name, filename: vaeFile(name) })),
  );
  get('/sdapi/v1/samplers', () => family.samplers);
  get('/sdapi/v1/schedulers', () => {
    // Its list does not pass its own check of replies: some entries have no class.
    if (family.isSdNext) throw family.failure(500, 'ResponseValidationError', '', '23 validation errors');
    return family.schedulers;
  });
  get('/sdapi/v1/upscalers', () =>
    family.upscalers.map((name) => ({ name, model_name: null, model_path: null, model_url: null, scale: 4 })),
  );
  get('/sdapi/v1/loras', () =>
    loras.map((name) => ({ name, alias: name, path: loraFile(name), metadata: {} })),
  );
  get('/sdapi/v1/prompt-styles', () => []);
  get('/sdapi/v1/scripts', () => family.scripts);
  act('/sdapi/v1/refresh-loras', () => null);

  post('/internal/progress', askForProgress, (_, body) => askProgress(webui, body));
  if (family.isSdNext) {
    get('/sdapi/v1/version', () => ({
      app: 'sd.next',
      updated: '2026-07-23',
      commit: version,
      branch: 'sketch',
    }));
    get('/sdapi/v1/options-info', () => ({ options: webui.defaults(), sections: [] }));
    get('/sdapi/v1/checkpoint', () => ({ type: 'sd', title: family.checkpoint(webui.checkpoint).title }));
  } else {
    get('/sdapi/v1/latent-upscale-modes', () => latentUpscaleModes.map((name) => ({ name })));
    get('/adetailer/v1/ad_model', () => ({ ad_model: adModels }));
  }
  get('/openapi.json', () => ({
    openapi: '3.0.2',
    info: { title: 'FastAPI', version: '0.1.0', description: plainly },
    paths: Object.fromEntries(router.paths().map((path) => [path, {}])),
  }));
  return router;
}

const askForProgress: Fields = {
  id_task: ['str', null],
  id_live_preview: ['int', -1],
  live_preview: ['bool', true],
};
