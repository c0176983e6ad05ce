/**
 * The failures that callers treat differently. Each message says what happened and what to do;
 * secrets never reach one, since every constructor redacts.
 */

const secrets: string[] = [];

/** Registers a password, token or URL credential: from now on `redact` hides it. */
export function registerSecret(secret: string): void {
  // Very short strings would blank out half of every message.
  if (secret.length < 4 || secrets.includes(secret)) return;
  secrets.push(secret);
  // A long one first: one that is part of it would leave the rest of it bare.
  secrets.sort((a, b) => b.length - a.length);
}

/**
 * The password of a URL as its server wants to hear it, a secret from now on. A `%` that encodes nothing stands
 * for itself, as in curl: people paste passwords as they are.
 */
export function passwordOf({ password }: URL): string {
  const decoded = decodeText(password);
  registerSecret(password);
  registerSecret(decoded);
  return decoded;
}

/** `%40` as `@`; as it is where it is no encoding. */
export function decodeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * `text` with `***` for every `user:password@` of a URL, and for every registered secret where a secret can stand. A
 * password may be a word, such as `reroll`: hiding it wherever it comes would make messages unreadable, and tell
 * which word it is. So how well a secret hides depends on what it is:
 * - one of 12 or more characters that no word has (a digit, a sign, a capital after a small letter): everywhere
 * - one of 6 or more such characters, or 10 or more letters: wherever no letter or digit touches it
 * - any other: in URLs, after Basic or Bearer, and as the value of a key such as `password`
 * Takes time in proportion to the text.
 */
export function redact(text: string): string {
  let clean = withoutUserInfo(text);
  for (const secret of secrets) clean = without(clean, secret);
  return clean;
}

/** No pattern: one with a scheme before `://` would look at every letter of a long word again and again. */
function withoutUserInfo(text: string): string {
  const parts: string[] = [];
  let copied = 0;
  for (let at = text.indexOf('://'); at >= 0; at = text.indexOf('://', at + 3)) {
    endOfHost.lastIndex = at + 3;
    const end = endOfHost.exec(text)?.index ?? text.length;
    const userInfo = text.slice(at + 3, end);
    const length = userInfo.lastIndexOf('@');
    if (length < 0 || !userInfo.slice(0, length).includes(':')) continue;
    parts.push(text.slice(copied, at + 3), '***');
    copied = at + 3 + length;
  }
  return parts.join('') + text.slice(copied);
}

const endOfHost = /[\s/]/g;

function without(text: string, secret: string): string {
  const parts: string[] = [];
  let copied = 0;
  for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + 1)) {
    if (!isSecretAt(text, at, secret)) continue;
    parts.push(text.slice(copied, at), '***');
    copied = at + secret.length;
    at = copied - 1;
  }
  return parts.join('') + text.slice(copied);
}

function isSecretAt(text: string, at: number, secret: string): boolean {
  const isWord = /^\p{Lu}?(\p{Ll}*|\p{Lu}*)$/u.test(secret);
  if (!isWord && secret.length >= 12) return true;
  if (/[\p{L}\p{N}]/u.test(text.charAt(at - 1) + text.charAt(at + secret.length))) return false;
  if (secret.length >= (isWord ? 10 : 6)) return true;
  return place.test(text.slice(Math.max(0, at - longestPlace), at));
}

/** What stands before a secret: `password=`, `"token": "`, `Bearer `, `://user:`. Looked for in a few letters only. */
const place =
  /(?:(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_ ]?key|auth(?:orization)?)["']?\s*[=:]\s*["']?|(?:basic|bearer)\s+|:\/\/[^\s/@]*)$/i;
const longestPlace = 40;

/** A failure that reroll foresaw. Anything else that is thrown is a bug and fails loudly. */
export class RerollError extends Error {
  override readonly name: string = 'RerollError';

  constructor(message: string, options?: { cause?: unknown }) {
    super(redact(message), options);
  }
}

/** What the user wrote or asked for cannot be done: a pipeline, an option, a file that is not there. */
export class ConfigError extends RerollError {
  override readonly name = 'ConfigError';
}

/** A folder or file cannot be read or written: full disk, no permission. */
export class StorageError extends RerollError {
  override readonly name = 'StorageError';
}

/** The embedded database in `folder` cannot be opened any more. */
export class DamagedError extends StorageError {
  constructor(
    message: string,
    readonly folder: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A stored image is no longer there: deleted by hand, or lost by the disk. */
export class GoneError extends RerollError {
  override readonly name = 'GoneError';
}

/** Another process holds the state folder. `owner` is its pid, where the lock file says it. */
export class LockedError extends RerollError {
  override readonly name = 'LockedError';

  constructor(
    message: string,
    readonly owner: number | undefined,
  ) {
    super(message);
  }
}

/** A server rests after failures: nothing was sent, and another may take the work. */
export class RestingError extends RerollError {
  override readonly name = 'RestingError';
}

/** The queue's server does not answer. Worth trying again: what is due is in the ledger. */
export class QueueError extends RerollError {
  override readonly name = 'QueueError';
  /** The server refuses for a while, and the user has been told. */
  readonly isTold: boolean;

  constructor(message: string, options: { cause: unknown; isTold: boolean }) {
    super(message, options);
    this.isTold = options.isTold;
  }
}

/** Bytes that are no usable image: truncated, too large, black, of another format. */
export class ImageError extends RerollError {
  override readonly name = 'ImageError';
}

/** A model folder or file that cannot be used as it is. */
export class ModelError extends RerollError {
  override readonly name = 'ModelError';
}

/**
 * What to do about a server's failure:
 * - `transient`: the request may succeed later or elsewhere. Costs no attempt; backoff, breaker.
 * - `request`: this request can never succeed on this server (missing checkpoint, invalid workflow).
 * - `backend`: this server cannot be used at all until somebody sees to it (wrong password, wrong kind).
 */
export type Fault = 'transient' | 'request' | 'backend';

/** A Stable Diffusion server that failed, in its own words where it had any. */
export class BackendError extends RerollError {
  override readonly name = 'BackendError';
  readonly backend: string;
  readonly fault: Fault;
  /** True where nothing answered at its address, so that nothing was sent. */
  readonly unreachable: boolean;
  /**
   * True where the failure says nothing about what the server was sent before: it may still be at it, or
   * have it done. Its id must not be forgotten, or the work is paid for twice.
   */
  readonly mayHoldWork: boolean;
  /** True where the server's own words say that it fails whatever comes until somebody restarts it. */
  readonly needsRestart: boolean;

  constructor(
    message: string,
    details: {
      backend: string;
      fault: Fault;
      unreachable?: boolean;
      /** Default: where it is unreachable. */
      mayHoldWork?: boolean;
      needsRestart?: boolean;
      cause?: unknown;
    },
  ) {
    super(
      `${details.backend}: ${message}`,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.backend = details.backend;
    this.fault = details.fault;
    this.unreachable = details.unreachable ?? false;
    this.mayHoldWork = details.mayHoldWork ?? this.unreachable;
    this.needsRestart = details.needsRestart ?? false;
  }

  /** The message without the backend's name. */
  get words(): string {
    return this.message.slice(this.backend.length + 2);
  }
}

/** Any thrown thing as an Error. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
}

/** The code of a Node system error (`ENOENT`, `ECONNREFUSED`), if it is one. */
export function systemCode(thrown: unknown): string | undefined {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
