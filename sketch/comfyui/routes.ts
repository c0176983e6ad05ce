import { Router, send, sendHtml, type Call, type JsonObject } from '../http.js';
import { plainly, version } from '../types.js';
import { features, type Comfy } from './comfy.js';
import { uploadImage, viewImage } from './images.js';
import { listJobs, showJob } from './jobs.js';
import { modelFolders, nodeInfo, nodeTypes } from './nodes/index.js';
import { isJobId, postPrompt, readJson } from './prompt.js';
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
  get('/prompt', () => comfy.info());
  router.add('POST /prompt', (call) => postPrompt(comfy, call));
  get('/queue', () => ({
    queue_running: queue.running === undefined ? [] : [listed(queue.running)],
    queue_pending: queue.pending.map(listed),
  }));
  act('/queue', (body) => {
    const ids = body['delete'];
    if (body['clear'] === true) comfy.remove(() => true);
    if (Array.isArray(ids)) comfy.remove((item) => ids.includes(item.id));
  });
  router.add('POST /interrupt', async (call) => {
    const body = await readJson(call).catch((): JsonObject => ({}));
    const id = body['prompt_id'];
    if (typeof id === 'string' && id !== '') comfy.interrupt(id);
    else comfy.interruptAny();
    send(call.response, 200, '');
  });
  act('/free', (body) => {
    if (body['free_memory'] === true) comfy.freeMemory();
  });

  get('/history', ({ url }) => {
    const max = url.searchParams.get('max_items');
    const all = [...queue.history];
    const count = max === null ? all.length : Number(max);
    const offset = Number(url.searchParams.get('offset') ?? -1);
    const start = offset >= 0 ? offset : Math.max(0, all.length - count);
    return Object.fromEntries(all.slice(start, start + count));
  });
  get('/history/:', ({ params: [id = ''] }) => {
    const entry = queue.history.get(id);
    return entry === undefined ? {} : { [id]: entry };
  });
  act('/history', (body) => {
    const ids = body['delete'];
    if (body['clear'] === true) queue.history.clear();
    if (Array.isArray(ids)) ids.forEach((id) => queue.history.delete(String(id)));
  });

  router.add('GET /view', (call) => viewImage(files, call));
  router.add('POST /upload/image', (call) => uploadImage(files, call));
  router.add('POST /upload/mask', (call) => uploadImage(files, call));

  get('/object_info', () =>
    Object.fromEntries(
      Object.entries(nodeTypes(workshop)).map(([name, type]) => [name, nodeInfo(name, type)]),
    ),
  );
  get('/object_info/:', ({ params: [name = ''] }) => {
    const type = nodeTypes(workshop)[name];
    return type === undefined ? {} : { [name]: nodeInfo(name, type) };
  });
  get('/models', () => ['checkpoints', ...Object.keys(modelFolders)]);
  router.add('GET /models/:', ({ response, params: [folder = ''] }) => {
    const names = folder === 'checkpoints' ? workshop.checkpoints : modelFolders[folder];
    send(response, names === undefined ? 404 : 200, names ?? '');
  });
  get('/embeddings', () => modelFolders['embeddings']);
  get('/extensions', () => []);
  get('/features', () => features);
  get('/system_stats', () => systemStats());

  router.add('GET /api/jobs', (call) => listJobs(comfy, call));
  router.add('GET /api/jobs/:', (call) => showJob(comfy, call));
  router.add('POST /api/jobs/cancel', (call) => cancelJobs(comfy, call));
  router.add('POST /api/jobs/:/cancel', ({ response, params: [id = ''] }) =>
    send(response, 200, { cancelled: comfy.cancel(id) }),
  );
  return router;
}

async function cancelJobs(comfy: Comfy, call: Call): Promise<void> {
  const refuse = (body: JsonObject): void => send(call.response, 400, body);
  const body = await readJson(call).catch(() => undefined);
  if (body === undefined) {
    refuse({ error: 'Request body must be valid JSON' });
    return;
  }
  const ids = body['job_ids'];
  if (!Array.isArray(ids)) {
    refuse({ error: 'job_ids must be a list' });
    return;
  }
  const invalid = ids.filter((id) => !isJobId(id));
  if (invalid.length > 0) {
    refuse({ error: 'job_ids contains invalid id(s)', invalid_ids: invalid });
    return;
  }
  send(call.response, 200, { cancelled: ids.map((id) => comfy.cancel(String(id))).includes(true) });
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
