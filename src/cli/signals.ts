import { exitCodes } from './exit.js';

/** How long a forced end may take to tell servers and to close files. */
const forceMs = 3_000;

export interface Interrupts {
  /** Take no more work; finish what the servers hold. */
  drain: AbortSignal;
  /** Stop now. */
  force: AbortSignal;
}

/**
 * Ctrl-C (or SIGTERM) once: take no more work, finish what the servers hold. Twice: stop now.
 * Returns the signals and the function that stops listening.
 */
export function listenForInterrupts(): { signals: Interrupts; release: () => void } {
  const drain = new AbortController();
  const force = new AbortController();
  const onSignal = () => {
    if (drain.signal.aborted) {
      force.abort();
      // Whatever still hangs then (a model that loads, a server that does not answer) is left behind: the ledger
      // knows how far the run is.
      setTimeout(() => process.exit(exitCodes.interrupted), forceMs).unref();
      return;
    }
    drain.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    signals: { drain: drain.signal, force: force.signal },
    release: () => process.off('SIGINT', onSignal).off('SIGTERM', onSignal),
  };
}
