import { NetError, type HttpClient } from '../../net/index.js';
import { cancelled } from './schema.js';
import { isAtLeast } from './version.js';
import type { Watch } from './watch.js';

/** How often it is looked again: a prompt may begin to run between the look and the word. */
const tries = 3;

/**
 * Stops one prompt by the best means that the server has, and never another one. `version` decides
 * whether `/interrupt` can be trusted: before 0.3.57 it ignores the id and stops whatever runs.
 */
export async function cancelPrompt(
  id: string,
  version: string | undefined,
  http: HttpClient,
  watch: Watch,
  signal: AbortSignal,
): Promise<void> {
  if (await cancelJob(id, http, signal)) return;
  for (let left = tries; left > 0; left--) {
    const { state } = await watch.find(id, signal);
    if (state === 'pending') {
      await http.postJson('/queue', { delete: [id] }, { signal });
    } else {
      // An old server goes on with it: to stop nothing is better than to stop somebody else's.
      if (state === 'running' && isAtLeast(version, [0, 3, 57])) {
        await http.postJson('/interrupt', { prompt_id: id }, { signal });
      }
      return;
    }
  }
}

/** In one step, on servers since 0.26. False where the server knows no such order. */
async function cancelJob(id: string, http: HttpClient, signal: AbortSignal): Promise<boolean> {
  try {
    const reply = await http.postJson(`/api/jobs/${encodeURIComponent(id)}/cancel`, {}, { signal });
    return cancelled.safeParse(reply).success;
  } catch (error) {
    if (error instanceof NetError && (error.kind === 'status' || error.kind === 'not-json')) return false;
    throw error;
  }
}
