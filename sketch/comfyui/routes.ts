import { Router, send, sendHtml, type Call, type JsonObject } from '../http.js';
import { plainly, version } from '../types.js';
import { type Comfy } from './comfy.js';
import { uploadImage, viewImage } from './images.js';
import { nodeInfo, nodeTypes } from './nodes/index.js';
import { postPrompt, readJson } from './prompt.js';
import { listed } from './queue.js';

const gib = 1024 ** 3;

/** Every route of the server. All but /api/jobs also answer under /api. */
export function routes(comfy: Comfy): Router {
  const router = new Router();
  const { queue, files, workshop } = comfy;
  const get = (path: string, answer: (call: Call) => unknown): void =>
    router.add(`GET ${path}`, (call) => send(call.response, 200, answer(call)));
  /** Answers 200 with an empty body, whatever came of it. */
  const act = (path: string, action: (body: JsonObject) => void): void =>
    router.add(`POST ${path}`, async (call) => {
      action(await readJson(call));
      send(call.response, 200, '');
    });

  router.add('GET /', ({ response }) =>
    sendHtml(response, 200, `<!doctype html><title>${plainly}</title><p>${plainly}`),
  );
  router.add('POST /prompt', (call) => postPrompt(comfy, call));
  get('/queue', () => ({
    queue_running: queue.running === undefined ? [] : [listed(queue.running)],
    queue_pending: queue.pending.map(listed),
  }));
  act('/queue', (body) => {
    const ids = body['delete'];
    if (Array.isArray(ids)) comfy.remove((item) => ids.includes(item.id));
  });
  router.add('POST /interrupt', async (call) => {
    const body = await readJson(call).catch((): JsonObject => ({}));
    const id = body['prompt_id'];
    if (typeof id === 'string' && id !== '') comfy.interrupt(id);
    else comfy.interruptAny();
    send(call.response, 200, '');
  });
  get('/history/:', ({ params: [id = ''] }) => {
    const entry = queue.history.get(id);
    return entry === undefined ? {} : { [id]: entry };
  });
  router.add('GET /view', (call) => viewImage(files, call));
  router.add('POST /upload/image', (call) => uploadImage(files, call));

  get('/object_info', () =>
    Object.fromEntries(
      Object.entries(nodeTypes(workshop)).map(([name, type]) => [name, nodeInfo(name, type)]),
    ),
  );
  get('/object_info/:', ({ params: [name = ''] }) => {
    const type = nodeTypes(workshop)[name];
    return type === undefined ? {} : { [name]: nodeInfo(name, type) };
  });
  get('/system_stats', () => systemStats());

  router.add('POST /api/jobs/:/cancel', ({ response, params: [id = ''] }) =>
    send(response, 200, { cancelled: comfy.cancel(id) }),
  );
  return router;
}

function systemStats(): JsonObject {
  return {
    system: {
      os: process.platform,
      ram_total: 16 * gib,
      ram_free: 8 * gib,
      comfyui_version: version,
      python_version: plainly,
      pytorch_version: plainly,
      embedded_python: false,
      argv: ['main.py'],
    },
    devices: [
      {
        name: plainly,
        type: 'cpu',
        index: 0,
        vram_total: 8 * gib,
        vram_free: 6 * gib,
        torch_vram_total: 8 * gib,
        torch_vram_free: 6 * gib,
      },
    ],
  };
}
