import { BackendError } from '../../errors.js';
import { NetError, type HttpClient } from '../../net/index.js';
import type { ServerInfo } from '../port.js';
import { systemStats } from './schema.js';

/** What the server says of itself. A BackendError of fault `backend` where it is no ComfyUI. */
export async function identify(backend: string, http: HttpClient, signal: AbortSignal): Promise<ServerInfo> {
  const refuse = (message: string) => new BackendError(message, { backend, fault: 'backend' });
  const reply = await http.getJson('/system_stats', { signal }).catch((error: unknown) => {
    if (error instanceof NetError && error.kind === 'not-json') {
      throw refuse(`this is no ComfyUI server: ${error.message}`);
    }
    throw error;
  });
  const system = systemStats.safeParse(reply).data?.system;
  if (system === undefined) throw refuse('this is no ComfyUI server: it has no system_stats.');
  const { comfyui_version: version } = system;
  const product = version?.startsWith('sketch') ? 'ComfyUI (sketch)' : 'ComfyUI';
  return { product, ...(version !== undefined && { version }) };
}

/** Names the server behind the URL where it is of another kind. Asked only when ComfyUI's paths are not there. */
export async function otherKind(http: HttpClient, signal: AbortSignal): Promise<string | undefined> {
  const options = await http
    .getJson('/sdapi/v1/options', { signal, timeoutMs: 5_000 })
    .catch(() => undefined);
  const isA1111 = typeof options === 'object' && options !== null && !Array.isArray(options);
  return isA1111 ? 'is a server of the A1111 family: write "kind: a1111" for it.' : undefined;
}
