import type { Env } from '../cache.js';

/** Well below the 5 s within which somebody without a network should hear of it. */
const connectMs = 3_500;

/** How the Hub is reached: directly, or through the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name. */
export interface Route {
  fetch: typeof fetch;
  close(): Promise<void>;
}

/** Loads its library when it is asked for: a run needs none. */
export async function openRoute(env: Env): Promise<Route> {
  const { EnvHttpProxyAgent, fetch } = await import('undici');
  const of = (name: string) => env[name.toLowerCase()] || env[name];
  const proxies = {
    httpProxy: of('HTTP_PROXY') ?? '',
    httpsProxy: of('HTTPS_PROXY') ?? '',
    noProxy: of('NO_PROXY') ?? '',
  };
  const dispatcher = new EnvHttpProxyAgent({ ...proxies, connect: { timeout: connectMs } });
  const through = (url: Parameters<typeof fetch>[0], init: Parameters<typeof fetch>[1]) =>
    fetch(url, { ...init, dispatcher });
  return { fetch: through as unknown as Route['fetch'], close: () => dispatcher.destroy() };
}
