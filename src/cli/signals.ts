import type { RunSignals } from '../runtime/index.js';

/**
 * Ctrl-C (or SIGTERM) once: take no more work, finish what the servers hold. Twice: stop now.
 * Returns the signals and the function that stops listening.
 */
export function listenForInterrupts(): { signals: RunSignals; release: () => void } {
  const drain = new AbortController();
  const force = new AbortController();
  const onSignal = () => {
    if (drain.signal.aborted) return force.abort();
    drain.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    signals: { drain: drain.signal, force: force.signal },
    release: () => process.off('SIGINT', onSignal).off('SIGTERM', onSignal),
  };
}
