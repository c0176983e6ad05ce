import { ConfigError, decodeText, passwordOf, registerSecret } from '../errors.js';

export interface Address {
  /** Scheme, host, port and path, with no slash at the end and no password. */
  base: string;
  /** The Authorization header. */
  authorization?: string;
}

/**
 * Reads a server's address. `auth` is `user:password`, or a whole header value (`Bearer ...`,
 * `Basic ...`); a password in the URL serves too. Registers every secret in it.
 */
export function readAddress(url: string, auth?: string): Address {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw new ConfigError(`"${url}" is no http or https address: write it as http://HOST:PORT.`);
  }
  const fromUrl = parsed.username && `${decodeText(parsed.username)}:${passwordOf(parsed)}`;
  if (parsed.search || parsed.hash) {
    // What stands there may be a token.
    throw new ConfigError(
      `"${parsed.origin}${parsed.pathname}" is followed by ? or #: leave that out. A token goes into auth, as "Bearer ...".`,
    );
  }
  const authorization = header(auth ?? fromUrl);
  const base = `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, '');
  return { base, ...(authorization !== undefined && { authorization }) };
}

function header(auth: string | undefined): string | undefined {
  if (!auth) return undefined;
  registerSecret(auth);
  const [, scheme, token] = /^(Basic|Bearer)\s+(.+)$/i.exec(auth) ?? [];
  if (scheme !== undefined && token !== undefined) {
    registerSecret(token);
    return auth;
  }
  const colon = auth.indexOf(':');
  if (colon < 0) throw new ConfigError('auth must be "user:password", "Basic ..." or "Bearer ...".');
  const encoded = Buffer.from(auth).toString('base64');
  registerSecret(auth.slice(colon + 1));
  registerSecret(encoded);
  return `Basic ${encoded}`;
}
