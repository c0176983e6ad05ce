import type { HttpClient } from '../../net/index.js';
import { optional } from './family.js';
import { serverProgress, taskProgress, type ServerProgress, type TaskProgress } from './schema.js';

export const lookMs = 10_000;

/** Of the whole server, whoever asked for what it does. */
export async function askServer(http: HttpClient, signal: AbortSignal): Promise<ServerProgress | undefined> {
  const query = { skip_current_image: true };
  const reply = http.getJson('/sdapi/v1/progress', { signal, timeoutMs: lookMs, query });
  return serverProgress.safeParse(await optional(reply)).data;
}

/** Of one task, without a preview, which nobody sees: the server would decode one for each look. */
export async function askTask(
  http: HttpClient,
  remoteId: string,
  signal: AbortSignal,
): Promise<TaskProgress | undefined> {
  const body = { id_task: remoteId, live_preview: false };
  const reply = http.postJson('/internal/progress', body, { signal, timeoutMs: lookMs });
  return taskProgress.safeParse(await optional(reply)).data;
}

/** It runs, or waits in the server's line. */
export function isThere(task: TaskProgress | undefined): boolean {
  return task?.active === true || task?.queued === true;
}

export function isBusy(server: ServerProgress | undefined): boolean {
  return (server?.progress ?? 0) > 0 || (server?.state?.job_count ?? 0) !== 0;
}

export function isInterrupted(server: ServerProgress | undefined): boolean {
  return server?.state?.interrupted === true || server?.state?.skipped === true;
}

export function signOf(task: TaskProgress | undefined, server: ServerProgress | undefined): string {
  return JSON.stringify([task?.active, task?.queued, task?.completed, task?.progress, server]);
}
