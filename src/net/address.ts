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

/** A connection to "any of my addresses" comes to this machine too. 127.0.0.2 may be another server of it. */
const thisMachine = new Set(['127.0.0.1', '[::1]', '[::ffff:7f00:1]', '0.0.0.0', '[::]']);

/**
 * Names the server behind an address: two addresses of one server are equal, however they are written. Scheme and
 * host in lower case, the scheme's own port left out, every name of this machine as `localhost`, no slash at the
 * end, no password. What only DNS knows to be one machine stays two.
 */
export function addressOf(url: string): string {
  const { protocol, hostname, port, pathname } = new URL(readAddress(url).base);
  const name = hostname.replace(/\.$/, '');
  const host = thisMachine.has(name) ? 'localhost' : name;
  return `${protocol}//${host}${port && `:${port}`}${pathname.replace(/\/+$/, '')}`;
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
