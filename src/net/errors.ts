import { RerollError } from '../errors.js';

/**
 * What went wrong between us and a server:
 * - `unreachable`: no connection came about, so nothing was sent
 * - `broken`: the connection was lost; the server may still be at work on what was sent
 * - `timeout`: connected, but no whole answer in time
 * - `too-large`: the reply went past its limit and was refused while it was read
 * - `status`: an HTTP status of 400 or more
 * - `not-json`: the reply is something else, a web page for example
 * - `redirect`: it sends us somewhere else; the pipeline's address is the only one we talk to
 */
export type NetFault =
  'unreachable' | 'broken' | 'timeout' | 'too-large' | 'status' | 'not-json' | 'redirect';

export class NetError extends RerollError {
  override readonly name = 'NetError';
  readonly kind: NetFault;
  readonly status: number | undefined;
  /** The beginning of the reply, 64 KiB at most. */
  readonly body: string | undefined;
  /** Of a `status`: whether the request carried a password or token. */
  readonly authorized: boolean;

  constructor(
    kind: NetFault,
    message: string,
    details: { status?: number; body?: string; authorized?: boolean; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.status = details.status;
    this.body = details.body;
    this.authorized = details.authorized ?? false;
  }
}
