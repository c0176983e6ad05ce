import { isObject, send, type Call, type JsonObject } from '../http.js';
import type { Comfy } from './comfy.js';
import type { History, Item } from './queue.js';

const statuses = ['pending', 'in_progress', 'completed', 'failed', 'cancelled'];

/** GET /api/jobs: filtered, sorted, a page of it. */
export function listJobs(comfy: Comfy, { response, url }: Call): void {
  const query = url.searchParams;
  const refuse = (error: string): void => send(response, 400, { error });
  const wanted = (query.get('status') ?? '').split(',').flatMap((word) => word.trim().toLowerCase() || []);
  const unknown = wanted.filter((status) => !statuses.includes(status));
  if (unknown.length > 0) {
    refuse(`Invalid status value(s): ${unknown.join(', ')}. Valid values: ${statuses.join(', ')}`);
    return;
  }
  const sortBy = (query.get('sort_by') ?? 'created_at').toLowerCase();
  if (sortBy !== 'created_at' && sortBy !== 'execution_duration') {
    refuse("sort_by must be 'created_at' or 'execution_duration'");
    return;
  }
  const order = (query.get('sort_order') ?? 'desc').toLowerCase();
  if (order !== 'asc' && order !== 'desc') {
    refuse("sort_order must be 'asc' or 'desc'");
    return;
  }
  const limit = query.has('limit') ? Number(query.get('limit')) : null;
  if (limit !== null && !Number.isInteger(limit)) {
    refuse('limit must be an integer');
    return;
  }
  if (limit !== null && limit <= 0) {
    refuse('limit must be a positive integer');
    return;
  }
  const offset = Number(query.get('offset') ?? 0);
  if (!Number.isInteger(offset)) {
    refuse('offset must be an integer');
    return;
  }

  const workflow = query.get('workflow_id');
  const key = (job: JsonObject): number =>
    sortBy === 'created_at'
      ? Number(job['create_time'] ?? 0)
      : Number(job['execution_end_time'] ?? 0) - Number(job['execution_start_time'] ?? 0);
  const jobs = allJobs(comfy)
    .filter((job) => wanted.length === 0 || wanted.includes(String(job['status'])))
    .filter((job) => workflow === null || job['workflow_id'] === workflow)
    .sort((a, b) => (order === 'asc' ? key(a) - key(b) : key(b) - key(a)));
  const start = Math.max(0, offset);
  const page = jobs.slice(start, limit === null ? undefined : start + limit);
  const pagination = {
    offset: start,
    limit,
    total: jobs.length,
    has_more: start + page.length < jobs.length,
  };
  send(response, 200, { jobs: page, pagination });
}

/** GET /api/jobs/{id}: with outputs and graph once it has finished. */
export function showJob(comfy: Comfy, { response, params }: Call): void {
  const [id = ''] = params;
  const history = comfy.queue.history.get(id);
  const job = allJobs(comfy).find((each) => each['id'] === id);
  if (job === undefined) {
    send(response, 404, { error: 'Job not found' });
    return;
  }
  if (history === undefined) {
    send(response, 200, job);
    return;
  }
  send(response, 200, {
    ...job,
    outputs: history.outputs,
    execution_status: history.status,
    workflow: { prompt: history.prompt[2], extra_data: history.prompt[3] },
  });
}

function allJobs({ queue }: Comfy): JsonObject[] {
  return [
    ...[...queue.history].map(([id, history]) => finished(id, history)),
    ...(queue.running === undefined ? [] : [waiting(queue.running, 'in_progress')]),
    ...queue.pending.map((item) => waiting(item, 'pending')),
  ];
}

function waiting(item: Item, status: string): JsonObject {
  return prune({
    id: item.id,
    status,
    priority: item.number,
    create_time: item.extraData['create_time'],
    outputs_count: 0,
    workflow_id: workflowId(item.extraData),
  });
}

function finished(id: string, { prompt, status, outputs }: History): JsonObject {
  const extraData = isObject(prompt[3]) ? prompt[3] : {};
  const message = (name: string): JsonObject | undefined =>
    status.messages.find(([event]) => event === name)?.[1];
  const interrupted = message('execution_interrupted');
  const error = message('execution_error');
  const end = message('execution_success') ?? interrupted ?? error;
  const images = Object.entries(outputs).flatMap(([nodeId, output]) =>
    isObject(output) && Array.isArray(output['images'])
      ? (output['images'] as JsonObject[]).map((image): JsonObject => ({
          ...image,
          nodeId,
          mediaType: 'images',
        }))
      : [],
  );
  return prune({
    id,
    status: status.completed ? 'completed' : interrupted === undefined ? 'failed' : 'cancelled',
    priority: prompt[0],
    create_time: extraData['create_time'],
    execution_start_time: message('execution_start')?.['timestamp'],
    execution_end_time: end?.['timestamp'],
    execution_error: error,
    outputs_count: images.length,
    preview_output: images.find((image) => image['type'] === 'output') ?? images[0],
    workflow_id: workflowId(extraData),
  });
}

function workflowId(extraData: JsonObject): unknown {
  const info = extraData['extra_pnginfo'];
  const workflow = isObject(info) ? info['workflow'] : undefined;
  return isObject(workflow) ? workflow['id'] : undefined;
}

function prune(job: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(job).filter(([, value]) => value !== undefined && value !== null));
}
