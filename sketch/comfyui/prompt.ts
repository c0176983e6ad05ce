import { randomUUID } from 'node:crypto';
import {
  HttpAnswer,
  isObject,
  proxyPage,
  readBody,
  send,
  sendHtml,
  type Call,
  type JsonObject,
} from '../http.js';
import { bodyLimit, type Comfy } from './comfy.js';
import { looksLikeGraph, seedOf } from './graph.js';
import { nodeTypes } from './nodes/index.js';
import { validatePrompt } from './validate.js';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const isJobId = (value: unknown): value is string => typeof value === 'string' && uuid.test(value);

/** What aiohttp answers when a handler throws. */
export const internalError = (): HttpAnswer =>
  new HttpAnswer(500, '500 Internal Server Error\n\nServer got itself in trouble');

/** A body as JSON. @throws HttpAnswer 500 where it is none, as the real server does. */
export async function readJson({ request }: Call): Promise<JsonObject> {
  const body = await readBody(request, bodyLimit);
  try {
    const json: unknown = JSON.parse(body.toString('utf8'));
    if (isObject(json)) return json;
  } catch {
    // Answered below, like JSON that is no object.
  }
  throw internalError();
}

/** POST /prompt. */
export async function postPrompt(comfy: Comfy, call: Call): Promise<void> {
  const body = await readJson(call);
  const number = numberOf(comfy, body);
  const refuse = (error: object, nodeErrors: object = {}): void =>
    send(call.response, 400, { error, node_errors: nodeErrors });
  const prompt = body['prompt'];
  if (prompt === undefined) {
    refuse({
      type: 'no_prompt',
      message: 'No prompt provided',
      details: 'No prompt provided',
      extra_info: {},
    });
    return;
  }
  const id = body['prompt_id'] ?? randomUUID();
  if (!isJobId(id)) {
    refuse({
      type: 'invalid_prompt_id',
      message: 'prompt_id must be a valid UUID',
      details:
        'prompt_id must be a UUID string in canonical lowercase hyphenated form; omit it to let the server generate one',
      extra_info: {},
    });
    return;
  }
  if (!looksLikeGraph(prompt)) throw internalError();
  const targets = body['partial_execution_targets'];
  const validated = validatePrompt(
    prompt,
    nodeTypes(comfy.workshop),
    comfy.workshop,
    Array.isArray(targets) ? targets.map(String) : undefined,
  );
  if (!validated.ok) {
    refuse(validated.error, validated.nodeErrors);
    return;
  }

  const { studio } = comfy.life;
  studio.asked();
  const fault = studio.plan.next(seedOf(validated.graph), JSON.stringify(validated.graph));
  if (fault === 'rate-limited') throw new HttpAnswer(429, '429: Too Many Requests', { 'retry-after': '1' });
  if (fault === 'error') throw internalError();
  if (fault === 'html') {
    sendHtml(call.response, 200, proxyPage);
    return;
  }
  if (fault !== 'lost') {
    const extraData = extraDataOf(body);
    const clientId = extraData['client_id'];
    comfy.add({
      number,
      id,
      graph: validated.graph,
      extraData,
      outputs: validated.outputs,
      clientId: typeof clientId === 'string' ? clientId : undefined,
      fault,
      release: studio.hold(id),
    });
  }
  if (fault === 'disconnect') {
    call.request.socket.destroy();
    return;
  }
  send(call.response, 200, { prompt_id: id, number, node_errors: validated.nodeErrors });
}

function numberOf(comfy: Comfy, body: JsonObject): number {
  if (body['number'] !== undefined) {
    const number = Number(body['number']);
    if (Number.isNaN(number)) throw internalError();
    return number;
  }
  const number = comfy.number++;
  return body['front'] === true ? -number : number;
}

function extraDataOf(body: JsonObject): JsonObject {
  const given = isObject(body['extra_data']) ? body['extra_data'] : {};
  const client = body['client_id'] === undefined ? {} : { client_id: body['client_id'] };
  const shown = Object.entries({ ...given, ...client }).filter(([key]) => !secrets.has(key));
  return { ...Object.fromEntries(shown), create_time: Date.now() };
}

/** Parts of extra_data that the server keeps out of queue and history. */
const secrets = new Set(['api_key_comfy_org', 'auth_token_comfy_org']);
