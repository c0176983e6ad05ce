import { join } from 'node:path';

import { ConfigError, registerSecret } from '../../errors.js';
import { type Env, userCache } from '../cache.js';

/** How long a Hub that fails or falls silent is borne. Shortened by tests. */
export interface Patience {
  /** Tries in a row without one new byte. */
  tries: number;
  /** Milliseconds before the second try; doubles each time. */
  backoffMs: number;
  /** Milliseconds without a byte after which a connection counts as dead. */
  silenceMs: number;
}

export interface HubSettings {
  /** Without a slash at the end. A mirror by HF_ENDPOINT. */
  endpoint: string;
  token: string | undefined;
  /** The cache that Python's huggingface_hub shares. */
  cache: string;
  offline: boolean;
  patience: Patience;
  /** How requests leave; default: Node's own way. */
  fetch: typeof fetch;
}

const defaultPatience: Patience = { tries: 5, backoffMs: 1000, silenceMs: 30_000 };

/** Reads the environment variables that Python's huggingface_hub reads. The token is redacted from now on. */
export function hubSettings(env: Env, patience: Partial<Patience> = {}): HubSettings {
  const endpoint = (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
  if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint)) {
    throw new ConfigError(`HF_ENDPOINT is no http(s) address: ${endpoint}`);
  }
  const token = env.HF_TOKEN?.trim() || undefined;
  if (token) registerSecret(token);
  return {
    endpoint,
    token,
    cache:
      env.HF_HUB_CACHE ||
      env.HUGGINGFACE_HUB_CACHE ||
      join(env.HF_HOME || join(userCache(env), 'huggingface'), 'hub'),
    offline: /^(1|on|yes|true)$/i.test(env.HF_HUB_OFFLINE ?? ''),
    patience: { ...defaultPatience, ...patience },
    fetch,
  };
}
