/**
 * Runs `work` with a signal that aborts when `signal` does, or after `ms` milliseconds (then with
 * `onTimeout()` as the reason). No `AbortSignal.any`: with one listener that `work` leaves on it, it would live as
 * long as the outer signal, and a run makes many requests.
 */
export async function withDeadline<T>(
  signal: AbortSignal,
  ms: number,
  onTimeout: () => Error,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const control = new AbortController();
  const onAbort = () => control.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const timer = Number.isFinite(ms) ? setTimeout(() => control.abort(onTimeout()), ms) : undefined;
  try {
    return await work(control.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
